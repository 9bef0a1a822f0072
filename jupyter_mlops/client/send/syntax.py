"""Syntax trees of Python code, made by one thread at a time."""

from __future__ import annotations

import ast
import threading

#: Python 3.11 takes the depth of one thread's tree for that of another's, and raises `SystemError`.
_PARSING = threading.Lock()


def parse(source: str, filename: str = "<unknown>") -> ast.Module:
    """As `ast.parse`, in any thread."""
    with _PARSING:
        return ast.parse(source, filename)
