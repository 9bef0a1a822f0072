"""Seals on results that are kept: who unpickles one knows that a task of this very run has made it.

A run's key is made where it is sent from, goes along with its code to the workers of its cluster, and stays in the
run's folder. Workers of other clusters, and whoever may write where results are kept, don't have it.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import pickle
from typing import Any

#: How sealed data begins.
MARK = b"jupyter-mlops sealed 1\n"

_SIZE = hashlib.sha256().digest_size


class BrokenSeal(ValueError):
    """The data was not made by a task of this run, or was changed since."""


class PlainUnpickler(pickle.Unpickler):
    """Unpickles plain data only: numbers, texts, bytes, lists, tuples, dicts. It imports and calls nothing."""

    def find_class(self, module: str, name: str) -> Any:
        """Raise `UnpicklingError`."""
        raise pickle.UnpicklingError(f"plain data has no {module}.{name}")


def plain(data: bytes) -> Any:
    """Plain data out of a pickle; raises `pickle.UnpicklingError` where it is more than that."""
    return PlainUnpickler(io.BytesIO(data)).load()


def seal(data: bytes, key: bytes, run: str) -> bytes:
    """`data` with the seal of the run `run` on it, whose key is `key`. Without a key, as it is."""
    return MARK + _code(data, key, run) + data if key else data


def opened(sealed: bytes, key: bytes, run: str) -> bytes:
    """The data without its seal, which was checked.

    Raises
    ------
    BrokenSeal : it has none, or not this one.
    """
    start = len(MARK) + _SIZE
    data = sealed[start:]
    if not sealed.startswith(MARK) or not hmac.compare_digest(sealed[len(MARK) : start], _code(data, key, run)):
        raise BrokenSeal(f"it has no seal of the run {run}")
    return data


def _code(data: bytes, key: bytes, run: str) -> bytes:
    made = hmac.new(key, run.encode() + b"\n", hashlib.sha256)
    made.update(data)
    return made.digest()
