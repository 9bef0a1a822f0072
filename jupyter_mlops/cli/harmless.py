"""The command line's output: whoever wrote a text (a name, a log, an error), the terminal only shows it."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import TextIO

from ..core.words import harmless


class HarmlessStream(io.TextIOBase):
    """Writes to `stream` what is written to it, without what a terminal would obey."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As `TextIO.write`."""
        self._stream.write(harmless(text))
        return len(text)

    def rewrite_line(self, text: str) -> None:
        """Write `text` in the place of the line that the terminal's cursor is on."""
        self._stream.write(f"\r\x1b[K{harmless(text)}")

    def flush(self) -> None:
        """As `TextIO.flush`."""
        self._stream.flush()

    def close(self) -> None:
        """Nothing: the stream is closed by whoever opened it, and may be by the time this one is forgotten."""

    def isatty(self) -> bool:
        """As `TextIO.isatty`."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """As `TextIO.fileno`."""
        return self._stream.fileno()


@contextlib.contextmanager
def harmless_output() -> Iterator[None]:
    """All that is printed meanwhile passes a `HarmlessStream`."""
    with (
        contextlib.redirect_stdout(HarmlessStream(sys.stdout)),
        contextlib.redirect_stderr(HarmlessStream(sys.stderr)),
    ):
        yield
