"""The line of `%%mlrun`, split into its options and their values: `--map range(3, -1, -1) --as n  # remark`."""

from __future__ import annotations

import difflib
import re

from ...core.errors import InvalidSpec

#: Options that take a value, those that may have one, and those that take none.
VALUED = (
    "--as",
    "--budget",
    "--by",
    "--checkpoint",
    "--cluster",
    "--for",
    "--gang",
    "--group",
    "--hang",
    "--map",
    "--name",
    "--on-error",
    "--out",
    "--per-worker",
    "--restarts",
    "--resume",
    "--retries",
    "--step",
    "--timeout",
    "--workers",
)
FLAGS = ("--again", "--detach", "--fresh", "--keep", "--quiet", "--sync")
OPTIONAL = ("--pilot",)
OPTIONS = tuple(sorted(VALUED + OPTIONAL + FLAGS))

_OPTION = re.compile(r"(--[A-Za-z][\w-]*)(=|(?=\s|$))")

_CLOSES = {"(": ")", "[": "]", "{": "}"}


def split(line: str) -> list[tuple[str, str]]:
    """The options of `line` in their order, each with its value as it was written; "" for one that takes none.

    A value goes on to the next option, or to a remark: a `#` after a blank. That of `--map` is Python, where an option
    or a remark can't begin within quotes and brackets; all others may be quoted as a whole.

    Raises
    ------
    InvalidSpec : an option is unknown or stands there twice, lacks a value or takes none, or a quote or bracket is
        never closed.
    """
    position = _end(line, 0, "")
    if stray := line[:position].strip():
        raise InvalidSpec(
            f"{stray!r} belongs to no option", "", "To run the cell for each of some items, write: --map ITEMS."
        )
    found: dict[str, str] = {}
    while match := _OPTION.match(line, position):
        option = match[1]
        if option not in OPTIONS:
            near = difflib.get_close_matches(option, OPTIONS, n=1)
            todo = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(OPTIONS)}."
            raise InvalidSpec(f"%%mlrun has no option {option}", "", todo)
        if option in found:
            raise InvalidSpec(f"{option} is there twice", "", "Keep one of them.")
        start = match.end() + len(line[match.end() :]) - len(line[match.end() :].lstrip())
        position = _end(line, start, option)
        value = line[start:position].strip()
        if option in FLAGS and (value or match[2]):
            raise InvalidSpec(f"{option} takes no value", f"got {value!r}", f"Write {option} alone.")
        if option in VALUED and not value:
            raise InvalidSpec(f"{option} needs a value", "", "%%mlrun? shows what may follow it.")
        found[option] = value
    return list(found.items())


def without_remark(line: str) -> str:
    """A line of words without the remark at its end."""
    match = re.search(r"(^|\s)#", line)
    return line[: match.start()] if match else line


def unquoted(text: str) -> str:
    """`text` without the quotes around it, if it has any."""
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" else text


def _end(line: str, start: int, option: str) -> int:
    """Where the value of `option` that starts at `start` ends."""
    python = option == "--map"
    position, closers = start, list[str]()
    while position < len(line):
        char = line[position]
        begins_word = position == start or line[position - 1].isspace()
        if not closers and begins_word and (char == "#" or _OPTION.match(line, position)):
            return position
        if char in "'\"" and (python or position == start):
            closing = _closing(line, position)
            if closing is None and python:
                raise InvalidSpec(
                    f"{option} can't be read", f"a quote {char} is never closed", "Close it, or quote the whole value."
                )
            position = position if closing is None else closing
        elif python and char in _CLOSES:
            closers.append(char)
        elif closers and char == _CLOSES[closers[-1]]:
            closers.pop()
        position += 1
    if closers:
        raise InvalidSpec(
            f"{option} can't be read",
            f"'{closers[-1]}' is never closed, and the magic's line ends",
            f"Write '{_CLOSES[closers[-1]]}' in the same line, or make the items in a cell before.",
        )
    return position


def _closing(line: str, opening: int) -> int | None:
    """Where the quote at `opening` is closed; None when it never is."""
    position = opening + 1
    while position < len(line):
        if line[position] == line[opening]:
            return position
        position += 2 if line[position] == "\\" else 1
    return None
