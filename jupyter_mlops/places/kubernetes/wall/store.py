"""Where the wall's books are: a Secret in its own namespace."""

from __future__ import annotations

import gzip
import zlib

from ....core.base import read_record
from ....core.errors import Unreadable
from ....core.wall import WallBooks
from .. import names
from ..api.client import MERGE_PATCH, Answer, Api, Json
from ..records.kept import KeptFiles, change, secret

#: The Secret's name.
BOOKS = "wall-books"

_FILE = "books.json.gz"


class WallStore:
    """Keeps the books. One wall alone may write them: when another one has, `save` fails, and they are to be loaded
    again."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._version = ""

    async def load(self) -> WallBooks | None:
        """The books as they were saved last; None where there are none.

        Raises
        ------
        Unreadable : they can't be read, and are left as they are.
        Answer, Unreachable : as `Api.request`.
        """
        try:
            item = await self._api.request("GET", self._api.path("secrets", BOOKS))
        except Answer as answer:
            if answer.status != 404:
                raise
            self._version = ""
            return None
        kept = KeptFiles("secrets", item)
        try:
            books = read_record(WallBooks, _unpacked(kept), "wall's books")
        except Unreadable as error:
            todo = error.todo or "Delete it to begin anew: all accounts are full then."
            raise Unreadable(f"The wall's books in {kept.where} can't be read", error.why, todo) from None
        self._version = item["metadata"]["resourceVersion"]
        return books

    async def save(self, books: WallBooks) -> None:
        """Keep the books. Raises `Answer`, with 409 where somebody else has written them, and `Unreachable`."""
        files = {_FILE: gzip.compress(books.model_dump_json().encode(), mtime=0)}
        if self._version:
            patch = {"metadata": {"resourceVersion": self._version}, **change(files)}
            path = self._api.path("secrets", BOOKS)
            item = await self._api.request("PATCH", path, patch, content=MERGE_PATCH)
        else:
            item = await self._api.request("POST", self._api.path("secrets"), secret(_metadata(BOOKS), files))
        self._version = item["metadata"]["resourceVersion"]


def _unpacked(kept: KeptFiles) -> bytes:
    try:
        return gzip.decompress(kept.data(_FILE) or b"")
    except (ValueError, OSError, EOFError, zlib.error):  # what isn't packed as it should be is nothing that can be read
        return b""


def _metadata(name: str) -> Json:
    return {"name": name, "labels": {names.MANAGED_BY: names.US}}
