"""What `--map ITEMS` means: an expression of the notebook, or a pattern of file names."""

from __future__ import annotations

import ast
import builtins
import difflib
import re
from typing import Any

from ..core.errors import InvalidItems

_PATTERN = re.compile(r"[*?\[]|/|\.\w+$")


def strip_quotes(text: str) -> str:
    """`text` without the quotes around it, if it has any."""
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" else text


def evaluate(text: str, space: dict[str, Any]) -> Any:
    """The items that `text` stands for, with the notebook's variables in `space`.

    Raises
    ------
    InvalidItems : it names nothing, or can't be evaluated.
    """
    inner = strip_quotes(text.strip())
    names = _names(inner)
    unknown = [name for name in names or [] if name not in space and not hasattr(builtins, name)]
    if names is None or unknown:
        if _PATTERN.search(inner):
            return inner
        if names is None:
            raise InvalidItems(f"{inner!r} can't be read as items", "it is neither Python nor a pattern of files")
        near = difflib.get_close_matches(unknown[0], [name for name in space if not name.startswith("_")], n=1)
        todo = f"Did you mean {near[0]!r}?" if near else "Make it in a cell before, or write a pattern of files."
        raise InvalidItems(f"There is no variable named {unknown[0]!r}", "--map takes an expression", todo)
    try:
        return eval(inner, space)  # noqa: S307 - the user's own expression, in their own notebook
    except Exception as error:
        raise InvalidItems(f"--map {inner} can't be evaluated", f"{type(error).__name__}: {error}") from error


def _names(text: str) -> set[str] | None:
    """The outer names that an expression uses; None when it is none."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return None
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return names - bound
