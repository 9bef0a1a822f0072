"""Names and texts as MLflow takes them."""

from __future__ import annotations

import json
import re

#: MLflow's own limits: bytes of a tag's and of a param's value, params and other things in one batch, and metrics.
TAG, PARAM, BATCH, METRICS = 5000, 500, 100, 1000

_NOT_IN_KEYS = re.compile(r"[^\w\-./ ]")


def key_of(name: str) -> str:
    """The name of a metric or a param, with what MLflow refuses replaced."""
    return _NOT_IN_KEYS.sub("_", name)[:250]


def text_of(value: object) -> str:
    """The text of a param or a tag."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
