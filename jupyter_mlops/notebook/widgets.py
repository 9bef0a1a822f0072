"""Ends widgets: each one that isn't closed stays in the kernel for good."""

from __future__ import annotations

from typing import Any


def close(widget: Any) -> None:
    """Close a widget and all that it holds, with its layout and style, which are widgets of their own."""
    for child in getattr(widget, "children", ()):
        close(child)
    for part in (getattr(widget, "layout", None), getattr(widget, "style", None), widget):
        if part is not None:
            part.close()
