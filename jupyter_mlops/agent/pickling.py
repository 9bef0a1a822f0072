"""Pickles what a run's code gives back."""

from __future__ import annotations

import copyreg
import io
import pickle
import types
from collections import ChainMap
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import cloudpickle
from cloudpickle import cloudpickle as pickling

#: Each says why an object can't go back; nothing where it can.
REFUSALS: list[Callable[[Any], str]] = []


#: Where `types.CodeType` takes the name of the file.
_FILENAME = 10


def _code(code: types.CodeType) -> tuple[Any, ...]:
    make, made = cloudpickle.Pickler.dispatch_table[types.CodeType](code)
    return make, (*made[:_FILENAME], code.co_filename, *made[_FILENAME + 1 :])


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
    """As cloudpickle's. Code keeps the name of its file, by which errors find their lines: since 3.1.3, cloudpickle
    itself drops it. Exceptions are pickled as they do it themselves."""

    dispatch_table: ClassVar[Any] = ChainMap({types.CodeType: _code}, *cloudpickle.Pickler.dispatch_table.maps)

    def reducer_override(self, obj: Any) -> Any:
        """As cloudpickle's. Where Dask was imported, tblib would pickle all exceptions with their tracebacks, and lose
        fields of them, as the `code` of a SystemExit."""
        if isinstance(obj, BaseException):
            registered = copyreg.dispatch_table.get(type(obj))
            if getattr(registered, "__module__", "") == "tblib.pickling_support":
                return obj.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        return super().reducer_override(obj)


def dumps(value: Any) -> bytes:
    """`value` as bytes. An open file is refused, which cloudpickle would give back as its text.

    Raises
    ------
    Exception : it can't be pickled; a user's class may raise anything.
    """
    with io.BytesIO() as target:
        _ResultPickler(target, protocol=5).dump(value)
        return target.getvalue()


def packed(result: Any) -> bytes:
    """What the user's code gave, as bytes.

    Raises
    ------
    TypeError : it can't be pickled.
    """
    try:
        return dumps(result)
    except Exception as error:  # noqa: BLE001 - a user's object may raise anything
        raise TypeError(f"the result, a {type(result).__name__}, can't be sent back: {error}") from None


def travels(value: Any) -> bool:
    """Whether `value` can be pickled, and be had from that again."""
    try:
        pickle.loads(dumps(value))  # noqa: S301 - it has just been pickled here
    except Exception:  # noqa: BLE001 - a user's object may raise anything: then it can't travel
        return False
    return True


def _refused(file: io.TextIOWrapper) -> NoReturn:
    raise pickle.PicklingError(f"the open file {file.name!r} can't travel")


def with_slots(kind: Any, reduced: Any) -> Any:
    """What cloudpickle makes of a class, with its slots: objects of the class come back to one that has them."""
    if not isinstance(kind, type) or not isinstance(reduced, tuple) or not vars(kind).get("__slots__"):
        return reduced
    make, made, (attributes, slots), *rest = reduced
    if make is not pickling._make_skeleton_class:  # noqa: SLF001 - it goes by this name
        return reduced
    made = (*made[:3], {**made[3], "__slots__": kind.__slots__}, *made[4:])  # type: ignore[attr-defined]  # it has them
    members = types.MemberDescriptorType
    attributes = {name: value for name, value in attributes.items() if not isinstance(value, members)}
    attributes.pop("__slots__")
    return make, made, (attributes, slots), *rest


class _ResultPickler(Pickler):
    def reducer_override(self, obj: Any) -> Any:
        """As cloudpickle's, and classes with their slots. What ends with the run is refused."""
        for why in filter(None, (refusal(obj) for refusal in REFUSALS)):
            raise pickle.PicklingError(why)
        return with_slots(obj, super().reducer_override(obj))

    dispatch_table: ClassVar[Any] = ChainMap({io.TextIOWrapper: _refused}, *Pickler.dispatch_table.maps)
