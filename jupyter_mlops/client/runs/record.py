"""What is needed to run a run again: kept in its folder as it is sent."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, BinaryIO

import cloudpickle

from ... import home
from ...agent import buffers
from ...agent.seals import PlainUnpickler
from ...core.errors import NotRepeatable
from ...home.runs import run_folder
from ..clusters.kernel import kernel

#: Bytes of input that are kept to run again.
MOST = 64 * 1024**2


def in_background(call: Callable[..., Any], *args: Any) -> Future[None]:
    """Have `call` write, after all that was to be written before. The future has no result, and no error."""
    return kernel().writer.submit(_quietly, call, *args)


class _TooMuch(Exception):
    """More than may be kept."""


class _Limited(io.BytesIO):
    """Takes so many bytes, and not a copy of more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, data: Any) -> int:
        """As a file does.

        Raises
        ------
        _TooMuch
        """
        self._room -= len(data)
        if self._room < 0:
            raise _TooMuch
        return super().write(data)


class PayloadFile:
    """Writes what a run sent, as it is sent; complete with `finish`.

    The file is a sequence of pickled frames of plain data: the head, the big variables, then the batches. Nothing in
    it has to be unpickled by who runs it again, except in the workers.
    """

    def __init__(self, run: str, head: dict[str, Any], bigs: list[Any]) -> None:
        self._folder = run_folder(run)
        self._size = 0
        self._file: BinaryIO | None = None
        #: Whether nothing more comes.
        self.finished = False
        kernel().writer.submit(_quietly, self._begin, head, bigs)

    def add(self, start: int, count: int, items: bytes) -> None:
        """A batch that was done, or is still to be done."""
        kernel().writer.submit(_quietly, self._write, {"start": start, "n": count, "items": items})

    def add_partitions(self, partitions: list[Any]) -> None:
        """The partitions of a Dask collection, with the graph that makes them."""
        kernel().writer.submit(_quietly, self._dump, partitions)

    def finish(self) -> Future[Any]:
        """Nothing more comes. The result is whether it can be run again."""
        self.finished = True
        return kernel().writer.submit(self._finish)

    def give_up(self, why: str) -> None:
        """It can't be run again; a no-op once it was finished."""
        kernel().writer.submit(_quietly, self._abandon, why)

    def _begin(self, head: dict[str, Any], bigs: list[Any]) -> None:
        descriptor = os.open(self._folder.make().new_payload, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        plain = bigs[-1:] if head["body"] is None else []  # the body, which is bytes already
        packed = [buffers.packed(big) for big in bigs[: len(bigs) - len(plain)]]
        self._write({"head": head, "bigs": [*packed, *plain]})

    def _write(self, frame: dict[str, Any]) -> None:
        if self._file is None:
            return
        data = pickle.dumps(frame, protocol=5)
        self._size += len(data)
        if self._size > MOST:
            self._abandon(f"it was more than {MOST // 1024**2} MB")
            return
        try:
            self._file.write(data)
        except OSError as error:  # a full disk: half a frame can't be read, and takes the room of others
            self._abandon(f"it couldn't be written ({error.strerror})")

    def _dump(self, partitions: list[Any]) -> None:
        target = _Limited(MOST - self._size)
        try:
            cloudpickle.Pickler(target, protocol=5).dump(partitions)
        except _TooMuch:
            self._abandon(f"it was more than {MOST // 1024**2} MB")
        except Exception as error:  # noqa: BLE001 - whatever a user's object raises: then it can't be kept
            self._abandon(f"the collection can't be pickled ({type(error).__name__}: {error})")
        else:
            self._write({"partitions": target.getvalue(), "n": len(partitions)})

    def _abandon(self, why: str) -> None:
        if self._file is None:
            return
        with contextlib.suppress(OSError):  # what it still had to write has no room either
            self._file.close()
        self._file = None
        self._folder.new_payload.unlink(missing_ok=True)
        _explain(self._folder.run, why)

    def _finish(self) -> bool:
        if self._file is None:
            return False
        try:
            self._file.close()
            self._folder.new_payload.replace(self._folder.payload)
        except OSError as error:  # as above; the run itself is fine
            self._abandon(f"it couldn't be written ({error.strerror})")
            return False
        self._file = None
        return True


def not_kept(run: str, why: str) -> None:
    """Note why the input of `run` isn't kept, for who wants to run it again."""
    in_background(_explain, run, why)


def _explain(run: str, why: str) -> None:
    home.write(run_folder(run).make().no_payload, why)


def _quietly(call: Any, *args: Any) -> None:
    """A disk that is full, or input that can't be pickled again, costs the repetition and nothing else."""
    try:
        call(*args)
    except Exception as error:  # noqa: BLE001 - as said; it is logged
        import logging

        logging.getLogger("jupyter_mlops").warning("A run's record couldn't be written: %r", error)


def read_payload(run: str) -> Generator[dict[str, Any], None, None]:
    """The frames of a run's payload.

    Raises
    ------
    NotRepeatable : it wasn't kept, or is something else than what was kept.
    """
    try:
        file = run_folder(run).payload.open("rb")
    except OSError:
        raise NotRepeatable(
            f"The run {run} can't be run again", f"its input wasn't kept: {_why(run)}", "Run its cell again."
        ) from None
    with file:
        while file.peek(1):
            try:
                frame = PlainUnpickler(file).load()  # the server reads it, too, and runs nobody's code
            except (pickle.UnpicklingError, EOFError) as error:
                why = f"its input can't be read: {error}"
                raise NotRepeatable(f"The run {run} can't be run again", why, "Run its cell again.") from None
            yield frame


def _why(run: str) -> str:
    try:
        return run_folder(run).no_payload.read_text(encoding="utf-8")
    except OSError:
        return "it wasn't complete when the run ended, or couldn't be written"
