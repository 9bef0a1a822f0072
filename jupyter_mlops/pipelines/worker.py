"""The process that has a notebook run by itself, for the server: `python -m jupyter_mlops.pipelines.worker`.

It is run by the Python of the notebook's kernel: this is what runs the steps later, and what knows which packages they
need. It reads what is asked from standard input, and answers on standard output.
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

from ..core.answer import refusal_as
from ..core.base import read_record
from ..core.errors import MlopsError
from ..core.schedule import ScheduleAnswer, ScheduleAsked
from .pipeline import Pipeline


def answer(asked: ScheduleAsked) -> ScheduleAnswer:
    """Schedule it, and tell what that said."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            Pipeline(Path(asked.notebook)).schedule(
                asked.every,
                cluster=asked.cluster,
                place=asked.place,
                profile=asked.profile,
                zone=asked.zone,
                files=asked.files,
            )
    except MlopsError as error:
        return refusal_as(ScheduleAnswer, error)
    return ScheduleAnswer(told=said.getvalue().splitlines())


if __name__ == "__main__":
    told = answer(read_record(ScheduleAsked, sys.stdin.buffer.read(), "schedule"))
    sys.stdout.write(f"\n{told.model_dump_json()}\n")
