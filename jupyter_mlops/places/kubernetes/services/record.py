"""The record of a service as it is read and changed, which several may do at the same moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ....core.ledger import LedgerEntry
from ..api.client import MERGE_PATCH, Api
from ..names import ServiceNames
from ..records.kept import change
from .finder import services_listed
from .stored import StoredService

#: How often a record is changed anew that somebody else changed at the same moment.
TRIES = 5


async def look(api: Api, ids: ServiceNames) -> StoredService | None:
    """The service of that name in the namespace; None where it has no record."""
    query = {"labelSelector": ids.selector}
    found = await services_listed(api, query)
    return next((each for each in found if each.ids.service == ids.service), None)


def as_lines(entries: Sequence[LedgerEntry]) -> str:
    """Entries as the record keeps them."""
    return "".join(f"{each.model_dump_json()}\n" for each in entries)


async def store(api: Api, ids: ServiceNames, files: Mapping[str, str | bytes], version: str) -> str:
    """Change the record, which nobody else is to have changed since it was `version`, unless that is empty; what it is
    then. An empty file is none."""
    body = change({name: content for name, content in files.items() if content})
    body["data"] |= {name: None for name, content in files.items() if not content}
    if version:
        body["metadata"] = {"resourceVersion": version}
    stored = await api.request("PATCH", api.path("secrets", ids.whole), body, content=MERGE_PATCH)
    return str(stored["metadata"].get("resourceVersion", ""))
