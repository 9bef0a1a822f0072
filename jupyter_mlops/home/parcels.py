"""A version of a model as bytes in parts, which can be sent to where it is to answer, and made a folder of there."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import private
from .models import VERSION, VersionFolder, model_folder

#: Bytes of a part: a Secret of Kubernetes takes 1 MiB.
PART = 1_000_000


class _Bounded(io.BytesIO):
    """Takes `most` bytes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._most:
            raise OverflowError
        return super().write(data)


def parts_of(version: VersionFolder, most: int) -> list[bytes]:
    """The files that a version was saved with, and its record, compressed, in `most` parts of `PART` bytes.

    Raises
    ------
    OverflowError : they are more, which is seen as soon as it is so.
    """
    buffer = _Bounded(most * PART)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in [VERSION, *version.files()]:
            archive.write(version.path / name, name)
    data = buffer.getvalue()
    return [data[at : at + PART] for at in range(0, len(data), PART)]


def digest_of(parts: Iterable[bytes]) -> str:
    """By which a parcel is known again."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def unpack(parts: Iterable[bytes], model: str, number: int) -> VersionFolder:
    """Make the folder of a version anew, of the parts in their order. Whether it is the one that is meant is looked at
    when it is loaded: its record has the digest of each file.

    Raises
    ------
    ValueError : these are no such parts.
    StorageFull, Refused
    """
    folder = model_folder(model).make().version(number)
    shutil.rmtree(folder.path, ignore_errors=True)
    private(folder.path)
    private(folder.artifact)
    try:
        with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
            for name in archive.namelist():
                if not _is_below(name):
                    raise ValueError(f"{name!r} leads elsewhere")
                folder.write(name, archive.read(name))
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error
    return folder


def _is_below(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts
