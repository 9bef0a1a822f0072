"""Packs packages of this kernel as they are installed here, for workers that lack them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...agent.packages import platform_of
from ...core.errors import VersionMismatch
from ...places.package_index import package_index
from ..send.environment import Needed

#: Bytes of a bundle, compressed: it goes to every worker through the scheduler. What doesn't fit, pip gets there.
MOST = 8_000_000

_COMPILED = (".so", ".pyd", ".dylib")
_USELESS = ("__pycache__", ".pyc")


def pack(wanted: Iterable[Needed], there: Mapping[str, str]) -> dict[str, Any]:
    """A bundle as the agent takes it (`agent/packages.py`): the smallest packages as files, others as pins.

    Parameters
    ----------
    there : the platform of the workers, as `platform_of` gives it.

    Raises
    ------
    VersionMismatch : one can't go there in any way.
    """
    same = dict(there) == platform_of()
    packed, pins, modules = [], [], set()
    room = MOST
    for size, one, files in sorted(((_size(files), one, files) for one, files in _listed(wanted)), key=lambda x: x[0]):
        modules |= _modules(files)
        fits = size / 2 < room and (same or not any(name.endswith(_COMPILED) for name in files))
        if files and fits:
            room -= size // 2  # Python's text shrinks to less than that
            packed.append(files)
        elif one.from_index:
            pins.append(f"{one.name}=={one.version}")
        else:
            raise VersionMismatch(
                f"{one.name} {one.version} can't be brought to the workers",
                "it is compiled for another platform, or large, and no index has it",
                "Use an image that has it: `jupyter mlops image` writes its Dockerfile.",
            )
    data = _zip(packed)
    digest = hashlib.sha256(data + "\n".join(pins).encode()).hexdigest()[:16]
    index = package_index() if pins else {}
    return {"digest": digest, "files": data, "pins": sorted(pins), "modules": sorted(modules), "index": index}


def _listed(wanted: Iterable[Needed]) -> Iterable[tuple[Needed, dict[str, Path]]]:
    """The files of each, by their names among installed packages; none where it doesn't say, or is being developed."""
    for one in wanted:
        files = {} if one.editable else {str(file): Path(str(file.locate())) for file in one.distribution.files or []}
        yield one, {name: path for name, path in files.items() if _belongs(name) and path.is_file()}


def _belongs(name: str) -> bool:
    return not name.startswith((".", "/")) and not any(part in name for part in _USELESS)


def _modules(files: Iterable[str]) -> set[str]:
    """Import names that files bring."""
    tops = {name.partition("/")[0] for name in files}
    return {top.removesuffix(".py") for top in tops if not top.endswith((".dist-info", ".data", ".pth", ".libs"))}


def _size(files: Mapping[str, Path]) -> int:
    return sum(path.stat().st_size for path in files.values())


def _zip(packed: Iterable[Mapping[str, Path]]) -> bytes:
    """The same files give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted((name, path) for files in packed for name, path in files.items()):
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return target.getvalue()
