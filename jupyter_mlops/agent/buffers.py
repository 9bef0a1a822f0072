"""Large variables as they travel: the pickle of one and its buffers in a row, so that the runners of a machine can map
them instead of copying them."""

from __future__ import annotations

import mmap
import os
import pickle
import struct
from typing import Any

import cloudpickle

#: Bytes to whose multiples buffers are aligned, as numpy's own are.
ALIGNED = 64

#: Bytes that are compared at a time.
PIECE = 1_000_000

_COUNT = struct.Struct("<Q")


def packed(value: Any) -> bytes:
    """`value` in one piece: what `pieces` gives, in a row."""
    return b"".join(pieces(value))


def pieces(value: Any) -> list[Any]:
    """How many parts there are, how long each is, the pickle of `value`, and its buffers, uncopied; each aligned."""
    buffers: list[pickle.PickleBuffer] = []
    parts: list[Any] = [cloudpickle.dumps(value, protocol=5, buffer_callback=buffers.append)]
    return _aligned(parts + [buffer.raw() for buffer in buffers])


def _aligned(parts: list[Any]) -> list[Any]:
    head = _COUNT.pack(len(parts)) + b"".join(_COUNT.pack(len(part)) for part in parts)
    aligned: list[Any] = []
    for piece in (head, *parts):
        aligned += [piece, bytes(-len(piece) % ALIGNED)]
    return aligned


def of_pickle(data: bytes) -> bytes:
    """What `packed` gives for an object that was pickled to `data`."""
    return b"".join(_aligned([data]))


def loaded(data: memoryview) -> Any:
    """What was packed. Its arrays lie in `data`, and can be written to where that can."""
    lengths = _lengths(data)
    at = _next(_COUNT.size * (1 + len(lengths)))
    parts = []
    for length in lengths:
        parts.append(data[at : at + length])
        at += _next(length)
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 - the user's own


def size_of_pickle(data: memoryview) -> int:
    """Bytes of what was packed, without its buffers."""
    return _lengths(data)[0]


def same(one: Any, other: Any) -> bool:
    """Whether two buffers have the same bytes."""
    if len(one) != len(other):
        return False
    # a memoryview compares item by item, in Python's own time; bytes at once
    return all(bytes(one[at : at + PIECE]) == bytes(other[at : at + PIECE]) for at in range(0, len(one), PIECE))


def _lengths(data: memoryview) -> list[int]:
    (count,) = _COUNT.unpack_from(data)
    return [_COUNT.unpack_from(data, _COUNT.size * (1 + number))[0] for number in range(count)]


def _next(length: int) -> int:
    return length + -length % ALIGNED


def opened(big: bytes | str) -> int:
    """A file that holds a large variable, for the runners of this worker to map: the one of that path, or one in memory
    with those bytes. Whoever asked for it closes it. Raises `OSError`."""
    return os.open(big, os.O_RDONLY) if isinstance(big, str) else shared(big)


def unnamed() -> int:
    """An empty file in memory; where the system has none, on the disk. Whoever asked for it closes it."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("jupyter-mlops")
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def shared(data: bytes) -> int:
    """A file in memory that holds `data`, for the runners of this machine to map. Whoever asked for it closes it."""
    file = unnamed()
    with open(os.dup(file), "wb") as target:  # noqa: PTH123 - it has no path
        target.write(data)
    return file


def put(value: Any) -> int:
    """A file in memory that holds `value`, packed, for the runners of this machine to map. Whoever asked for it closes
    it."""
    file = unnamed()
    with open(os.dup(file), "wb") as target:  # noqa: PTH123 - it has no path
        target.writelines(pieces(value))
    return file


def common(path: str) -> mmap.mmap:
    """What a file holds, for all processes that ask for it: what one writes, the others read. Raises `OSError`."""
    file = os.open(path, os.O_RDWR)
    try:
        return mmap.mmap(file, 0)
    finally:
        os.close(file)


def mapped(file: int) -> memoryview:
    """What a file in memory holds; to be written to by this process alone, which gets a copy of what it writes to."""
    if not os.fstat(file).st_size:
        return memoryview(b"")
    return memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_COPY))
