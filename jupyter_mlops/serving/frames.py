"""What goes between a router and a replica: frames on a pair of sockets that nobody else has an end of.

HTTP ends at the router. A frame is a head and a body, which is JSON as the caller sent it, or as the caller gets it.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

#: Length of the body, number of the request, what is asked (or the HTTP status of the answer), rows that were answered.
#: In what is asked, and in counts, the last is how many bytes of the body are a part of their own: the head of a
#: request (`AskedHead`), or the counts before what was logged.
_HEAD = struct.Struct("!IQHI")

#: What is asked: by the Open Inference Protocol, or with plain records; and, by the router itself, what was counted.
#: The last two aren't answered: what is to be logged, and by which bins answers are counted while two versions are
#: compared.
INFER, PREDICT, COUNT, LOG, COMPARE = 1, 2, 3, 4, 5

#: The number of a replica's first frame, which says that it is ready (200), or why it never will be.
HELLO = 0


class Frame(NamedTuple):
    """One of them. `code` is what is asked, or an HTTP status."""

    number: int
    code: int
    body: bytes
    rows: int = 0

    @property
    def parts(self) -> tuple[bytes, bytes]:
        """The body's first part, of `rows` bytes, and the rest."""
        return self.body[: self.rows], self.body[self.rows :]

    def packed(self) -> bytes:
        """As bytes."""
        return _HEAD.pack(len(self.body), self.number, self.code, self.rows) + self.body


class AskedHead(NamedTuple):
    """What a router says of a request: its id, unless its body has one, and the key of who it is about."""

    id: str = ""
    key: str = ""

    def packed(self) -> bytes:
        """As bytes."""
        return f"{self.id}\n{self.key}".encode()

    @classmethod
    def of(cls, data: bytes) -> AskedHead:
        """What `packed` made of it."""
        id, _, key = data.decode(errors="replace").partition("\n")
        return cls(id, key)


class FrameReader:
    """Makes frames of the bytes that arrive, however they were cut."""

    def __init__(self) -> None:
        self._inbox = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are whole now."""
        self._inbox += data
        found, at = [], 0
        while len(self._inbox) - at >= _HEAD.size:
            length, number, code, rows = _HEAD.unpack_from(self._inbox, at)
            end = at + _HEAD.size + length
            if len(self._inbox) < end:
                break
            found.append(Frame(number, code, bytes(self._inbox[at + _HEAD.size : end]), rows))
            at = end
        if at:
            del self._inbox[:at]
        return found
