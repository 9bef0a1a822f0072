"""How the panel's widgets look and where they stand."""

from __future__ import annotations

import ipywidgets as w

QUIET = "color:var(--jp-ui-font-color2,#666)"
ALERT = "border-left:3px solid var(--jp-error-color1,#d32f2f);padding:2px 8px;max-width:720px;line-height:1.4"
CELL = "padding:1px 16px 1px 0;white-space:nowrap;text-align:left;line-height:1.5"


def field() -> w.Layout:
    """The place of a field. Each has one of its own: who hides a field must not hide its neighbours."""
    return w.Layout(width="480px")


def number() -> w.Layout:
    """The place of a number with its name."""
    return w.Layout(width="180px")


def show(widget: w.Widget, visible: bool) -> None:
    """Show a widget, or take it out of sight."""
    widget.layout.display = "" if visible else "none"
