"""What a form asks for becomes a run: names and expressions are looked up in the notebook, the function is sent off.

The run is detached.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ...client.runs import api
from ...core.errors import InvalidInput, InvalidItems
from .runs import MAP, RunRequest


def functions(namespace: dict[str, Any]) -> list[str]:
    """Names of the functions that were defined in the notebook."""
    return sorted(
        name
        for name, value in list(namespace.items())
        if inspect.isfunction(value) and value.__module__ == "__main__" and not name.startswith("_")
    )


def prepare(request: RunRequest, namespace: dict[str, Any], cluster: str) -> Callable[[], Any]:
    """Evaluate a request in the notebook's `namespace`; what it returns sends the run and gives it.

    Raises
    ------
    InvalidInput, InvalidItems : something is missing, can't be evaluated, or isn't what it should be.
    """
    if request.result and not request.result.isidentifier():
        raise InvalidInput(
            f"{request.result!r} is not a name for a variable", todo="Use letters, digits and underscores."
        )
    function = _evaluate(request.function, namespace, "The function")
    if not callable(function):
        raise InvalidInput(f"{request.function!r} can't be called", f"it is a {type(function).__name__}")
    options: dict[str, Any] = {"cluster": cluster, "name": request.function, "detach": True, "quiet": True}
    if request.kind == MAP:
        items = _evaluate(request.given, namespace, "The items")
        if not hasattr(items, "__iter__"):
            raise InvalidItems(
                f"{request.given!r} has no items", f"it is a {type(items).__name__}", "Give a list or the like."
            )
        return lambda: api.map(function, items, **options)
    args, kwargs = _evaluate(f"(lambda *args, **kwargs: (args, kwargs))({request.given})", namespace, "The arguments")
    return lambda: api.run(function, *args, **kwargs, **options)


def _evaluate(expression: str, namespace: dict[str, Any], what: str) -> Any:
    if not expression:
        raise InvalidInput(
            f"{what} of the run {'are' if what.endswith('s') else 'is'} missing", todo="Fill in the form."
        )
    try:
        return eval(expression, namespace)  # noqa: S307 - the user's own words in the user's own kernel, like a cell
    except Exception as error:  # whatever the user's words raise is shown to the user
        why = f"{type(error).__name__}: {error}"
        raise InvalidInput(f"{what} can't be evaluated", why, "Try the same words in a cell.") from error
