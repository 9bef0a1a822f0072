"""Makes modules of texts. It travels as text itself, and is run by whoever has the others: it knows no other module."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from typing import Any


def load(package: str, texts: Mapping[str, str]) -> None:
    """Make the modules of `package`, in the order of `texts`; those that are there with the same text stay."""
    for name, text in texts.items():
        full = package if name == "__init__" else f"{package}.{name}"
        known = sys.modules.get(full)
        if known is not None and getattr(known, "TEXT", None) == text:
            continue
        module: Any = types.ModuleType(full)
        module.__package__ = package
        if name == "__init__":
            module.__path__ = []
        module.TEXT = text
        sys.modules[full] = module
        exec(compile(text, f"<jupyter-mlops {name}>", "exec"), module.__dict__)  # noqa: S102 - it is ours
        if name != "__init__":
            setattr(sys.modules[package], name, module)
