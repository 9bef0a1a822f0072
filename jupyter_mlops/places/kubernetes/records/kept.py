"""The objects that keep a cluster's records: Secrets, which fewer people may read and change than ConfigMaps.

Clusters that version 0.1.0 made have ConfigMaps: they are read, changed and removed alike, and never made.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..api.client import Json

#: How the API calls the kind that keeps them.
Storage = Literal["secrets", "configmaps"]

_KINDS: Mapping[Storage, str] = {"secrets": "Secret", "configmaps": "ConfigMap"}


@dataclass(frozen=True)
class KeptFiles:
    """The files that an object keeps, by name."""

    storage: Storage
    #: As the API gave it; empty where the object is gone.
    item: Json

    @property
    def where(self) -> str:
        """What people find it by."""
        metadata = self.item["metadata"]
        return f"{_KINDS[self.storage]} {metadata.get('namespace', '')}/{metadata['name']}"

    @property
    def names(self) -> list[str]:
        """Of the files, in no order."""
        return [*(self.item.get("data") or {}), *(self.item.get("binaryData") or {})]

    def data(self, name: str) -> bytes | None:
        """A file's content; None where there is none.

        Raises
        ------
        ValueError : it isn't stored as it should be.
        """
        plain, coded = self.item.get("data") or {}, self.item.get("binaryData") or {}
        if self.storage == "configmaps" and name in plain:
            return str(plain[name]).encode()
        found = (plain if self.storage == "secrets" else coded).get(name)
        try:
            return None if found is None else base64.b64decode(found, validate=True)
        except (TypeError, binascii.Error) as error:
            raise ValueError(str(error)) from error

    def text(self, name: str) -> str | None:
        """A file's content as text; what isn't text can't be read by whoever wants to, and says so."""
        try:
            found = self.data(name)
        except ValueError:
            return ""
        return None if found is None else found.decode("utf-8", errors="replace")


def secret(metadata: Json, files: Mapping[str, str | bytes]) -> Json:
    """A Secret that keeps `files`."""
    return {"apiVersion": "v1", "kind": _KINDS["secrets"], "metadata": metadata, "data": _coded(files)}


def change(files: Mapping[str, str | bytes], storage: Storage = "secrets") -> Json:
    """The patch that stores `files`, which are texts where `storage` is a ConfigMap, among those that are kept."""
    return {"data": _coded(files) if storage == "secrets" else dict(files)}


def _coded(files: Mapping[str, str | bytes]) -> dict[str, str]:
    return {
        name: base64.b64encode(content.encode() if isinstance(content, str) else content).decode()
        for name, content in files.items()
    }
