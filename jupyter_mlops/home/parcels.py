"""Files as bytes in parts, which can be sent to where they are needed, and made a folder of there."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import private, write
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
    return zipped({name: version.path / name for name in [VERSION, *version.files()]}, most)


def zipped(files: Mapping[str, Path | bytes], most: int) -> list[bytes]:
    """Files, or their content, by their names there, compressed, in `most` parts of `PART` bytes. Raises OverflowError
    as `parts_of`."""
    buffer = _Bounded(most * PART)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for name, content in files.items():
            if isinstance(content, bytes):
                archive.writestr(name, content)
            else:
                archive.write(content, name)
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
    for name, content in _unzipped(parts):
        folder.write(name, content)
    return folder


def unzip(parts: Iterable[bytes], folder: Path) -> None:
    """Make the files of `zipped` in a folder. Raises as `unpack`."""
    for name, content in _unzipped(parts):
        path = folder / name
        private(path.parent)
        write(path, content)


def _unzipped(parts: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
            for name in archive.namelist():
                if not _is_below(name):
                    raise ValueError(f"{name!r} leads elsewhere")
                yield name, archive.read(name)
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error


def _is_below(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts
