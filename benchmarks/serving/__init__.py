"""Services against those of others: what a request costs, a swap of version, the first answer; and replays."""

from __future__ import annotations

from collections.abc import Iterator

from ..measure import Result
from . import click, onnx, replays, requests, swaps, watching


def run() -> Iterator[Result]:
    """All of them; each is one of its own, too: `python -m benchmarks serving.requests`."""
    for each in (requests, onnx, watching, click, replays, swaps):
        yield from each.run()
