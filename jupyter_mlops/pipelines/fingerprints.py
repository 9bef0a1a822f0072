"""Digests of the user's objects, by which a step knows whether what it reads has changed.

They are of the pickle, made so that it is the same in every process: a function is its instructions and what it uses,
wherever it stands and however it is written; a class of the notebook what it has; a set has no order.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import pickle
import secrets
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..agent.code import NOTEBOOKS
from ..client.room import with_room
from ..client.send.flow import codes_in
from ..client.send.pickling import SentPickler
from .files import LONGEST, MOST_TEXTS, texts_by, texts_in

#: What classes have that says nothing of them.
_OF_CLASSES = frozenset({
    "__abstractmethods__", "__annotations_cache__", "__dict__", "__firstlineno__", "__slotnames__",
    "__static_attributes__", "__weakref__", "_abc_impl",
})  # fmt: skip

#: What a class has for its slots and such, which follow from the rest.
_MEMBERS = (types.MemberDescriptorType, types.GetSetDescriptorType)

#: Bytes of a text from which on its digest stands for it.
_LONG = 100

#: Types whose objects are told apart by how they are written.
_PLAIN = frozenset({bool, bytes, complex, float, int, str, type(None)})


@dataclass(frozen=True)
class Fingerprint:
    """A digest, and the texts in the code that was seen for it, and in the variables that this code uses."""

    digest: str
    texts: frozenset[str] = frozenset()


def fingerprint(value: Any) -> Fingerprint:
    """The digest of an object. One that can't be pickled has another each time: it may have changed."""
    try:
        return _made(value)
    except RecursionError:
        pass
    except Exception:  # noqa: BLE001 - a user's object may raise anything
        return _unknown()
    try:
        return with_room(lambda: _made(value))
    except Exception:  # noqa: BLE001 - as above
        return _unknown()


def _unknown() -> Fingerprint:
    return Fingerprint(f"unknown-{secrets.token_hex(8)}")


def _made(value: Any) -> Fingerprint:
    target = _Hashed()
    pickler = _DigestPickler(target)
    pickler.dump(value)
    return Fingerprint(target.hash.hexdigest()[:32], frozenset(pickler.texts))


class _Hashed:
    """A file of which only the digest is there."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, data: Any) -> int:
        """As a file does; large buffers come as they are."""
        data = data.raw() if isinstance(data, pickle.PickleBuffer) else data
        self.hash.update(data)
        return len(data)


class _DigestPickler(SentPickler):
    """Pickles what can't be the same in two processes as something that can."""

    def __init__(self, target: Any) -> None:
        super().__init__(target, [])
        #: In the code of functions, and in what these use; and what may be a path anywhere else.
        self.texts: set[str] = set()
        self.globals_ref[id(vars(sys.modules["__main__"]))] = {NOTEBOOKS: True}

    def persistent_id(self, obj: Any) -> Any:
        """What stands for an object; None lets it be pickled as usual."""
        kind = type(obj)
        if kind is str:
            if _looks_like_path(obj) and len(self.texts) < MOST_TEXTS:
                self.texts.add(obj)  # of what is read later, perhaps
            return _number(obj)
        if kind.__module__ == "numpy.dtypes":
            return _number(repr(obj))
        if kind in (set, frozenset):
            return kind.__name__, _of_set(obj)
        if kind is types.CodeType:
            self.texts.update(texts_of(obj))
            return "code", digest_of_code(obj)
        if kind is types.MethodType or kind.__module__ == "IPython.core.autocall":
            return super().persistent_id(obj)
        return None

    def reducer_override(self, obj: Any) -> Any:
        """As the pickler's that sends things; classes of the notebook, and what functions use, in an order."""
        if isinstance(obj, type) and (obj.__module__ == "__main__" or "<locals>" in obj.__qualname__):
            state = _state(obj)
            self.texts.update(texts_in(list(state.values())))
            return _class, (type(obj), obj.__qualname__, obj.__bases__), state
        if (told := _of_array(obj)) is not None:
            return told
        reduced = super().reducer_override(obj)
        if type(obj) is not types.FunctionType or not isinstance(reduced, tuple) or len(reduced) < 3:
            return reduced
        attributes, others = reduced[2]
        others = {**others, "__globals__": dict(sorted(others["__globals__"].items()))}
        others.pop("_cloudpickle_submodules", None)  # which are loaded
        self.texts.update(texts_in([*others["__globals__"].values(), *_given_to(obj)]))
        return (*reduced[:2], (attributes, others), *reduced[3:])


def _number(text: str) -> int:
    """A number for a text, the same for equal ones: pickles say where one and the same text comes again, which equal
    ones need not be, and are not in another process."""
    data = text.encode(errors="surrogatepass")
    if len(data) > _LONG:
        return -int.from_bytes(hashlib.sha256(data).digest(), "big")
    return int.from_bytes(b"\1" + data, "big")  # the first byte keeps zeros that follow


def _looks_like_path(text: str) -> bool:
    """Those of code are none: modules count by what they say."""
    return ("/" in text or "." in text) and len(text) <= LONGEST and not text.endswith(".py")


def _of_array(value: Any) -> Any:
    """How an array is told that will have another form once it has travelled; None for all others."""
    kind = type(value)  # numpy itself may be half loaded, by another thread
    if kind.__name__ == "MaskedArray" and kind.__module__.startswith("numpy."):
        value.set_fill_value(value.fill_value)  # that of its type, if it has none yet
        return None
    if (kind.__module__, kind.__name__) != ("numpy", "ndarray") or value.flags.forc or value.dtype.hasobject:
        return None
    return value.copy(order="C").__reduce_ex__(5)


def _given_to(function: types.FunctionType) -> Iterator[Any]:
    """What a function has of its own: defaults, and variables of functions around it."""
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # it is empty yet
            yield cell.cell_contents


def _class(*args: Any) -> None:
    """Stands for a class: nobody unpickles it."""


def _state(kind: type) -> dict[str, Any]:
    return {
        name: value
        for name, value in sorted(vars(kind).items())
        if name not in _OF_CLASSES and not isinstance(value, _MEMBERS)
    }


def _of_set(values: Any) -> str:
    told = sorted(repr(each) if type(each) in _PLAIN else _made(each).digest for each in values)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


@functools.lru_cache(maxsize=1000)
def digest_of_code(code: types.CodeType) -> str:
    """A digest of compiled code, wherever it stands."""
    return hashlib.sha256(repr(_told(code)).encode()).hexdigest()[:32]


def _told(code: types.CodeType) -> tuple[Any, ...]:
    return (
        code.co_code,
        getattr(code, "co_exceptiontable", b""),
        [_constant(each) for each in code.co_consts],
        (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars),
        (code.co_flags, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_name),
    )


def _constant(value: Any) -> Any:
    if isinstance(value, types.CodeType):
        return _told(value)
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    return value


def texts_of(code: types.CodeType) -> Iterator[str]:
    """The texts that stand in compiled code, or for its names."""
    for inner in codes_in(code):
        yield from texts_by(inner.co_names)
        for constant in inner.co_consts:
            if isinstance(constant, str):
                yield constant
            elif isinstance(constant, tuple):
                yield from (each for each in constant if isinstance(each, str))
