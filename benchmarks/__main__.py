"""`python -m benchmarks [NAME …]`: measure all, or these; write results.json and print the table."""

from __future__ import annotations

import importlib
import shutil
import sys

from . import start, table
from .measure import write

NAMES = (
    "imports",
    "start",
    "runs",
    "runners",
    "fits",
    "sweeps",
    "training",
    "metrics",
    "scale",
    "controller",
    "serving",
    "kubernetes",
)


def main(names: list[str]) -> None:
    """Run the benchmarks of these names."""
    folder = start.home()
    try:
        for name in names or NAMES:
            for result in importlib.import_module(f"benchmarks.{name}").run():
                print(
                    f"{result.name}: {result.ours:.3g} {result.unit}, goal {result.goal}: {table.judged(result.met)}",
                    flush=True,
                )
                write(result)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table.main()


if __name__ == "__main__":
    main(sys.argv[1:])
