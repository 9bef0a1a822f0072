"""Variables that a cell has changed on a worker: the notebook's own objects become so, too, as they would have here.

Whatever else holds them (another name, a list, a pipeline) then sees the change.
"""

from __future__ import annotations

import array
import collections
import copyreg
import gc
import sys
import types
from collections.abc import Collection, Mapping
from typing import Any

#: Objects within what came back that are looked at: what holds more takes the old one's place as a whole.
MOST = 20_000

#: What doesn't move to another object: pandas' flags know theirs by a weak reference.
_STAYS = "_flags"


def renew(space: dict[str, Any], came: Mapping[str, Any], changed: Collection[str]) -> None:
    """Let the names in `space` mean what `came` has. What is `changed` was changed in place: the objects themselves
    become so where they can, else all names that mean such an object mean the new one.

    Where what came holds a changed object, that one has to be it: then all of it takes the place of the old.
    """
    news = {id(came[name]) for name in changed if name in came}
    shared = any(_holds(value, news) or (id(value) in news and name not in changed) for name, value in came.items())
    for name, new in came.items():
        old = space.get(name)
        if name not in changed or old is None:
            space[name] = new
        elif shared or not _became(old, new):
            space.update({other: new for other, value in space.items() if value is old})


def _became(old: Any, new: Any) -> bool:
    """Change `old` into what `new` is; False: it can't be done, and `old` is as it was."""
    kind = type(old)
    if kind is not type(new):
        return False
    if kind is getattr(sys.modules.get("numpy"), "ndarray", None):
        return _array_became(old, new)
    if kind in (list, bytearray, array.array):
        old[:] = new
    elif kind in (dict, collections.OrderedDict, collections.defaultdict, collections.Counter, set):
        old.clear()
        old.update(new)
    elif _is_plain(kind):
        mine, its = vars(old), vars(new)
        for name in [name for name in mine if name not in its]:
            del mine[name]
        mine.update({name: value for name, value in its.items() if name != _STAYS})
    else:
        return False
    return True


def _array_became(old: Any, new: Any) -> bool:
    if old.shape != new.shape or old.dtype != new.dtype or not old.flags.writeable:
        return False
    old[...] = new
    return True


def _holds(whole: Any, news: Collection[int]) -> bool:
    """Whether an object with one of these ids is somewhere within `whole`, or may be."""
    todo = [whole] if news else []
    seen: set[int] = set()
    while todo:
        for each in gc.get_referents(todo.pop()):
            if id(each) in news or len(seen) > MOST:
                return True
            if gc.is_tracked(each) and id(each) not in seen and not isinstance(each, _SHARED):
                seen.add(id(each))
                todo.append(each)
    return False


#: What leads to all of the notebook.
_SHARED = (type, types.ModuleType, types.FunctionType)


def _is_plain(kind: type) -> bool:
    """Whether all that an object of this class is lies in its attributes."""
    as_any: Any = object
    return (
        kind.__reduce_ex__ is as_any.__reduce_ex__
        and kind.__reduce__ is as_any.__reduce__
        and not hasattr(kind, "__getnewargs__")
        and not hasattr(kind, "__getnewargs_ex__")
        and kind.__basicsize__ == _Plain.__basicsize__
        and not copyreg._slotnames(kind)  # type: ignore[attr-defined]  # noqa: SLF001 - what pickle itself asks
    )


class _Plain:
    pass
