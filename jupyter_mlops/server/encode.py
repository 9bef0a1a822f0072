"""Models to JSON text, once per change however many browsers there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic_core import to_json


def encode(value: Any) -> str:
    """A model, or lists and dicts of models, as JSON. Numbers that JSON lacks become null."""
    return to_json(value, inf_nan_mode="null").decode()


def array(fragments: Iterable[str]) -> str:
    """JSON texts as one JSON array."""
    return f"[{','.join(fragments)}]"
