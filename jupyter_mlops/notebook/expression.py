"""What `--map ITEMS` means: an expression of the notebook, or a pattern of file names."""

from __future__ import annotations

import ast
import builtins
import difflib
import glob
import keyword
import re
from pathlib import Path
from typing import Any

from ..client.send.capture import names_of
from ..core.errors import InvalidItems

_PATTERN = re.compile(r"[*?\[]|/|\.\w+$")


def evaluate(text: str, space: dict[str, Any]) -> Any:
    """The items that `text` stands for, with the notebook's variables in `space`.

    A text in quotes is a pattern of files. When no file matches and it reads as an expression, it is that expression:
    people are used to quoting the values of options.

    Raises
    ------
    InvalidItems : it names nothing, or can't be evaluated.
    """
    text = text.strip()
    quoted = _text_in_quotes(text)
    if quoted is not None:
        tree = _expression(quoted)
        if _matches_files(quoted) or tree is None or _unknown(quoted, space):
            return quoted
        text = quoted
    else:
        tree = _expression(text)
        looks_like_pattern = _PATTERN.search(text) is not None
        if tree is None:
            if looks_like_pattern and _may_be_files(text):
                return text
            raise _unreadable(text)
        if unknown := _unknown(text, space):
            if looks_like_pattern:
                return text
            raise _nothing_named(unknown[0], space)
    try:
        return eval(compile(tree, "<--map>", "eval", dont_inherit=True), space)  # noqa: S307 - the user's own expression, in their own notebook
    except Exception as error:
        if quoted is None and _PATTERN.search(text) and _matches_files(text):
            return text
        raise InvalidItems(f"--map {text} can't be evaluated", f"{type(error).__name__}: {error}") from error


def _expression(text: str) -> ast.Expression | None:
    try:
        return ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):  # the latter for a null character
        return None


def _text_in_quotes(text: str) -> str | None:
    """The value of `text` where it is one text in quotes, and nothing else."""
    tree = _expression(text) if text[:1] in ("'", '"') else None
    constant = tree.body if tree is not None else None
    return constant.value if isinstance(constant, ast.Constant) and isinstance(constant.value, str) else None


def _matches_files(pattern: str) -> bool:
    try:
        return bool(glob.glob(str(Path(pattern).expanduser()), recursive=True))  # noqa: PTH207 - it takes absolute patterns, too
    except (OSError, ValueError, RuntimeError):  # too long, a null character, an unknown user's home
        return False


def _may_be_files(text: str) -> bool:
    """Whether what isn't Python can be meant as file names: half an expression isn't."""
    return not re.search(r"\s|[(){}=,'\"]", text) or _matches_files(text)


def _unknown(text: str, space: dict[str, Any]) -> list[str]:
    """The names that an expression needs, and that are neither the notebook's nor Python's."""
    reads = names_of(ast.parse(text)).reads
    return sorted(name for name in reads if name not in space and not hasattr(builtins, name))


def _unreadable(text: str) -> InvalidItems:
    if keyword.iskeyword(text):
        return InvalidItems(f"--map can't be {text!r}", "it is a word of Python's own", "Use a variable's name.")
    try:
        ast.parse(text, mode="eval")
        why = "it isn't Python"
    except (SyntaxError, ValueError) as error:
        why = getattr(error, "msg", str(error))
    return InvalidItems(f"--map {text} can't be read", why, "Write an expression, or a pattern of files in quotes.")


def _nothing_named(name: str, space: dict[str, Any]) -> InvalidItems:
    near = difflib.get_close_matches(name, [known for known in space if not known.startswith("_")], n=1)
    todo = f"Did you mean {near[0]!r}?" if near else "Make it in a cell before, or write a pattern of files."
    return InvalidItems(f"There is no variable named {name!r}", "--map takes an expression", todo)
