"""Processes that do for others what doesn't belong into these: they take memory, or run the code of models."""

from __future__ import annotations

import asyncio
import sys

from pydantic import BaseModel

from .. import home
from ..core.answer import AnswerT
from ..core.base import Seconds, read_record
from ..core.errors import Unavailable, Unreadable
from ..core.waiting import wait_for


async def answer_of(
    module: str, asked: BaseModel, kind: type[AnswerT], what: str, patience: Seconds, program: str = ""
) -> AnswerT:
    """What a process of its own answers, which ends with whoever waits for it.

    Parameters
    ----------
    module : its program. It reads `asked` from its standard input; the last line of its output is an answer of `kind`.
    what : isn't so, where it doesn't answer.
    patience : seconds that it may take.
    program : the Python that runs it; default: this one.

    Raises
    ------
    Unavailable : it didn't answer.
    MlopsError : what it answers was raised there.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            program or sys.executable,
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=home.home(),
        )
    except OSError as error:
        raise Unavailable(what, str(error), "") from error
    try:
        answer, said = await wait_for(process.communicate(asked.model_dump_json().encode()), patience)
    except asyncio.TimeoutError:
        raise Unavailable(what, f"it took more than {patience:.0f} s", "") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        told = read_record(kind, answer.strip().split(b"\n")[-1], "answer")
    except Unreadable:
        lines = said.decode(errors="replace").strip().splitlines()
        why = lines[-1] if lines else "the process that was to do it ended"
        raise Unavailable(what, why, "Try it in a notebook.") from None
    told.check()
    return told
