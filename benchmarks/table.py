"""The table of results, as text and in the docs: `python -m benchmarks.table` rewrites it between its marks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .measure import RESULTS

ROOT = Path(__file__).parents[1]
PLACES = (ROOT / "README.md", ROOT / "docs" / "benchmarks.md")
MARKS = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)


def table(document: dict[str, Any]) -> str:
    """`results.json` as a Markdown table, with the machine beneath it."""
    lines = ["| what | ours | peer | ratio | goal | |", "| --- | --- | --- | --- | --- | --- |"]
    for row in document["results"]:
        more, less = ("> ", "< ") if row.get("longer") else ("", "")
        peer = "–" if row["peer"] is None else f"{more}{number(row['peer'])} {row['unit']} ({row['peer_name']})"
        ratio = "–" if row["ratio"] is None else less + number(row["ratio"])
        met = judged(row["met"])
        met += f": {row['note']}" if row["note"] and not row["met"] else ""
        lines.append(
            f"| {row['name']} | {number(row['ours'])} {row['unit']} | {peer} | {ratio} | {row['goal']} | {met} |"
        )
    machine = document["machine"]
    where = f"{machine['cpus']} CPUs, {machine['memory']}, {machine['system']}, Python {machine['python']}"
    return "\n".join(
        [*lines, "", f"Measured on {where}, {machine['date']}, by `make bench`; medians, peers in the same run."]
    )


def judged(met: bool | None) -> str:
    """Whether a goal is met, in words."""
    return {True: "met", False: "missed", None: "not known"}[met]


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 1 else f"{value:.2g}"


def main() -> None:
    """Print the table, and put it between the marks of the documents that have them."""
    text = table(json.loads(RESULTS.read_text()))
    print(text)
    for place in PLACES:
        if place.exists():
            place.write_text(MARKS.sub(lambda match: f"{match[1]}{text}\n{match[2]}", place.read_text()))


if __name__ == "__main__":
    main()
