"""Accounts on Kubernetes: a Secret for each, in the namespace whose clusters hold its money.

A change names the version of the object that it was made of; where somebody else was faster, the API refuses it, and it
is made anew. Whoever may change Secrets in the namespace may change accounts: they are a fence, and no wall.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable

from ....core.account import AccountBook
from ....core.base import read_record
from ....core.errors import Unavailable, Unreadable
from ....core.formats import FORMAT
from .. import names
from ..api.client import MERGE_PATCH, Answer, Api, Json
from .kept import KeptFiles, change, secret

_FILE = "account.json"
_PART = "account"

#: How often a change is made anew, and seconds that it waits for the others before, at most.
_TRIES, _LONGEST = 30, 1.0


class AccountSecrets:
    """An `AccountStore`; belongs to the loop of its `api`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def books(self) -> list[AccountBook]:
        """As in `AccountStore`."""
        query = {"labelSelector": f"{names.PART}={_PART},{names.MANAGED_BY}={names.US}"}
        found = await self._api.request("GET", self._api.path("secrets"), query=query)
        books = [_book(KeptFiles("secrets", item)) for item in found.get("items") or []]
        return sorted(books, key=lambda book: book.name)

    async def change(self, name: str, do: Callable[[AccountBook | None], AccountBook | None]) -> AccountBook | None:
        """As in `AccountStore`."""
        path = self._api.path("secrets", object_name(name))
        for attempt in range(_TRIES):
            item = await self._get(path)
            before = None if item is None else _book(KeptFiles("secrets", item))
            after = do(before)
            if after == before:
                return after
            try:
                await self._store(path, item, after)
                return after
            except Answer as answer:
                if answer.status not in (404, 409):
                    raise answer.error from None
            await asyncio.sleep(random.random() * min(_LONGEST, 0.02 * 2**attempt))  # noqa: S311 - no secret
        raise Unavailable(f"The account {name!r} can't be changed now", "others change it all the time", "Try again.")

    async def _get(self, path: str) -> Json | None:
        try:
            return await self._api.request("GET", path, timeout=10.0)
        except Answer as answer:
            if answer.status == 404:
                return None
            raise answer.error from None

    async def _store(self, path: str, item: Json | None, after: AccountBook | None) -> None:
        """Raises `Answer` with 404 or 409 where it isn't as it was any more."""
        if item is None:
            assert after is not None
            await self._api.request("POST", self._api.path("secrets"), _made(after), parse=False)
            return
        version = item["metadata"]["resourceVersion"]
        if after is None:
            condition = {"preconditions": {"resourceVersion": version}}
            await self._api.request("DELETE", path, condition, parse=False)
            return
        patch = {"metadata": {"resourceVersion": version}, **change({_FILE: after.model_dump_json()})}
        await self._api.request("PATCH", path, patch, content=MERGE_PATCH, parse=False, timeout=10.0)


def object_name(account: str) -> str:
    """The Secret of an account: names of accounts may have any characters."""
    return f"mlops-account-{names.fitting(account)}-{hashlib.sha256(account.encode()).hexdigest()[:8]}"


def _made(book: AccountBook) -> Json:
    labels = {names.PART: _PART, names.MANAGED_BY: names.US}
    metadata: Json = {"name": object_name(book.name), "labels": labels, "annotations": {names.FORMAT: str(FORMAT)}}
    return secret(metadata, {_FILE: book.model_dump_json()})


def _book(kept: KeptFiles) -> AccountBook:
    try:
        return read_record(AccountBook, kept.text(_FILE) or "", "account")
    except Unreadable as error:
        raise Unreadable(f"The account in {kept.where} can't be read", error.why, error.todo) from None
