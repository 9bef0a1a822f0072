"""A small curve under a cell: what a run's metric was at each look, while the cell waits."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping

#: Values that are kept; of more, every second one goes.
MOST = 200

WIDTH, HEIGHT = 160, 22


def main_metric(metrics: Mapping[str, float | None]) -> str | None:
    """The metric that is shown where there is room for one: a loss, else the first one; None where there is none."""
    losses = [key for key in metrics if re.search("loss", key, re.IGNORECASE)]
    return next(iter([*losses, *metrics]), None)


def last_value(metrics: Mapping[str, float | None]) -> str:
    """That metric and its last value, in words; empty where there is none."""
    key = main_metric(metrics)
    if key is None:
        return ""
    value = metrics[key]
    return f"{key} {'NaN' if value is None else f'{value:.4g}'}"


class SmallCurve:
    """The last values of one metric, as they were seen."""

    def __init__(self) -> None:
        self._key: str | None = None
        self._seen: list[float | None] = []
        self._every, self._looks = 1, 0

    def look(self, metrics: Mapping[str, float | None]) -> None:
        """The metrics are now these."""
        self._key = self._key if self._key in metrics else main_metric(metrics)
        if self._key is None:
            return
        self._looks += 1
        if self._looks % self._every == 0:
            self._seen.append(metrics[self._key])
        if len(self._seen) > MOST:
            self._seen, self._every = self._seen[::2], self._every * 2

    def svg(self) -> str:
        """As a picture of HTML, with what it says in words; empty before there are two values."""
        known = [value for value in self._seen if value is not None and math.isfinite(value)]
        if self._key is None or len(known) < 2:
            return ""
        low, high = min(known), max(known)
        name = html.escape(self._key, quote=True)
        words = f"{name}: from {known[0]:.4g} to {known[-1]:.4g}, smallest {low:.4g}, largest {high:.4g}"
        lines, line = [], ""
        for index, value in enumerate([*self._seen, None]):
            if value is None:
                lines += [line] if line.count(" ") > 1 else []
                line = ""
                continue
            x = 1 + (WIDTH - 2) * index / max(1, len(self._seen) - 1)
            share = 0.5 if high == low else (value / 2 - low / 2) / (high / 2 - low / 2)  # halves don't overflow
            line += f"{x:.1f},{HEIGHT - 2 - (HEIGHT - 4) * share:.1f} "
        drawn = "".join(f'<polyline points="{each.strip()}"/>' for each in lines)
        return (
            f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{words}" fill="none" stroke-width="1.5" '
            f'stroke="var(--jp-brand-color1, #1976d2)" style="display:block;margin-top:4px">'
            f"<title>{words}</title>{drawn}</svg>"
        )
