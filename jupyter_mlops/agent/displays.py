"""What code displays, wherever it does: `display(…)`, and Matplotlib's figures when they are shown, or at its end."""

from __future__ import annotations

import builtins
import io
import json
import sys
import uuid
from collections.abc import Callable
from typing import Any

from .failures import short
from .imported import when_imported

#: Tells the seat something: its kind, and what.
Tell = Callable[..., None]

#: What an object looks like, by MIME type: text, bytes or plain data.
Looks = dict[str, Any]

#: A widget's: its model would be in a process that the notebook can't reach.
_WIDGET = "application/vnd.jupyter.widget-view+json"

_METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "text/latex": "_repr_latex_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "application/json": "_repr_json_",
    "application/javascript": "_repr_javascript_",
}


def install(tell: Tell) -> None:
    """Let what is displayed be told, as soon as IPython or Matplotlib is imported."""
    screen = Screen(tell)

    def display(*objects: Any, **options: Any) -> Handle | None:
        return screen.display(*objects, **options)

    def show(*args: Any, **options: Any) -> None:  # Matplotlib gives it a signature, so it has to be a function
        screen.show_figures()

    display.__module__, display.__qualname__ = "builtins", "display"  # by that name a notebook has one, too
    builtins.display = display  # type: ignore[attr-defined]  # as in a notebook
    when_imported("IPython.core.display_functions", lambda: _replace(display, "display"))
    when_imported("matplotlib.pyplot", lambda: setattr(sys.modules["matplotlib.pyplot"], "show", show))


def _replace(own: Any, name: str) -> None:
    for module in ("IPython.core.display_functions", "IPython.core.display", "IPython.display"):
        if hasattr(sys.modules.get(module), name):
            setattr(sys.modules[module], name, own)


class Screen:
    """Tells what is displayed."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def display(
        self,
        *objects: Any,
        raw: bool = False,
        display_id: Any = None,
        update: bool = False,
        metadata: Any = None,
        **others: Any,
    ) -> Handle | None:
        """As `IPython.display.display`, with all looks, whichever of them are asked for."""
        name = uuid.uuid4().hex if display_id is True else display_id
        for each in objects:
            bundle = _plain(each) if raw else looks(each)
            self._tell("display", bundle=bundle, id=name and str(name), update=update)
        return Handle(self, name) if name else None

    def show_figures(self) -> None:
        """Display all open figures of Matplotlib, and close them."""
        for image in figures():
            self._tell("display", bundle={"image/png": image, "text/plain": "<Figure>"}, id=None, update=False)


class Handle:
    """Changes what was displayed. As IPython's `DisplayHandle`."""

    def __init__(self, screen: Screen, display_id: str) -> None:
        self._screen, self.display_id = screen, display_id

    def update(self, value: Any, **options: Any) -> None:
        """Display `value` in its place."""
        self._screen.display(value, display_id=self.display_id, update=True, **options)

    def display(self, value: Any, **options: Any) -> None:
        """Display `value` once more."""
        self._screen.display(value, display_id=self.display_id, **options)


def looks(value: Any) -> Looks:
    """What `value` says of its own looks."""
    bundle: Looks = {"text/plain": short(value, 10_000)}
    if type(value).__module__ == "matplotlib.figure":
        bundle["image/png"] = _png(value)
    for mime, method in _METHODS.items():
        shown = _asked(value, method)
        if isinstance(shown, tuple):  # with metadata
            shown = shown[0]
        if shown is not None:
            bundle[mime] = shown
    whole = _asked(value, "_repr_mimebundle_")
    bundle.update((whole[0] if isinstance(whole, tuple) else whole) or {})
    return _plain(bundle)


def _asked(value: Any, method: str) -> Any:
    call = None if isinstance(value, type) else getattr(value, method, None)
    if call is None:
        return None
    try:
        return call()
    except Exception:  # noqa: BLE001 - a look that fails is left out
        return None


def figures() -> list[bytes]:
    """Matplotlib's open figures as PNG, closed: what the notebook's own backend would do after a cell."""
    plots = sys.modules.get("matplotlib.pyplot")
    if plots is None:
        return []
    images = [_png(plots.figure(number)) for number in plots.get_fignums()]
    plots.close("all")
    return images


def _png(figure: Any) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="png", bbox_inches="tight")
    return target.getvalue()


def _plain(bundle: Any) -> Looks:
    """`bundle` as data that can be told."""
    if not isinstance(bundle, dict):
        return {"text/plain": short(bundle, 10_000)}
    kept = {str(mime): each for mime, each in bundle.items() if mime != _WIDGET}
    return {mime: each if isinstance(each, (str, bytes)) else _json(each) for mime, each in kept.items()}


def _json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
