"""Messages of Dask's, read without opening the pickles in them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it has no types
from tornado.iostream import StreamClosedError

from . import dask


async def frames_of(comm: dask.TCP) -> list[Any]:
    """The frames of the next message of a connection. Raises as Dask's `read`."""
    stream = comm.stream
    if stream is None:
        raise dask.convert_stream_closed_error(comm, StreamClosedError())
    try:
        _, count = struct.unpack("=QQ", await stream.read_bytes(16))
        lengths = struct.unpack(f"={count}Q", await stream.read_bytes(8 * count))
        return [await dask.read_bytes_rw(stream, length) for length in lengths]
    except StreamClosedError as error:
        comm.abort()
        raise dask.convert_stream_closed_error(comm, error) from error
    except BaseException:  # nobody knows where the next message begins
        comm.abort()
        raise


def unopened(frames: Sequence[Any]) -> Any:
    """A message whose pickles stay what they are: they may be passed on to clients and other workers."""

    def member(found: dict[Any, Any]) -> Any:
        for mark, kind in (("__Serialized__", dask.Serialized), ("__Pickled__", dask.Pickled)):
            if isinstance(found.get(mark), int) and found[mark] > 0:
                header = msgpack.unpackb(
                    frames[found[mark]], object_hook=dask.msgpack_decode_default, use_list=False, strict_map_key=False
                )
                first = found[mark] + 1
                return kind(header, list(frames[first : first + header["num-sub-frames"]]))
        return dask.msgpack_decode_default(found)

    return msgpack.unpackb(frames[0], object_hook=member, use_list=False, strict_map_key=False)
