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
from collections.abc import Mapping
from typing import Any

#: Objects within a changed one that are looked at: what holds itself, or much, takes the old one's place as a whole.
MOST = 20_000

#: What doesn't move to another object: pandas' flags know theirs by a weak reference.
_STAYS = "_flags"


def renew(space: dict[str, Any], changed: Mapping[str, Any]) -> None:
    """Make what the names in `space` mean the same as in `changed`: the objects themselves where they can be changed,
    else all names that mean such an object mean the new one."""
    for name, new in changed.items():
        old = space.get(name)
        if old is None:
            space[name] = new
        elif not _became(old, new):
            space.update({other: new for other, value in space.items() if value is old})


def _became(old: Any, new: Any) -> bool:
    """Change `old` into what `new` is; False: it can't be done, and `old` is as it was."""
    kind = type(old)
    if kind is not type(new):
        return False
    if kind is getattr(sys.modules.get("numpy"), "ndarray", None):
        return _array_became(old, new)
    if _holds_itself(new):
        return False
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


def _holds_itself(whole: Any) -> bool:
    todo = [whole]
    seen: set[int] = set()
    while todo:
        for each in gc.get_referents(todo.pop()):
            if each is whole or len(seen) > MOST:
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
