"""The part of this package that runs in pods, packed so that any image with Dask and our dependencies can run it."""

from __future__ import annotations

import functools
import io
import json
import zipfile
import zlib
from importlib.metadata import version
from pathlib import Path

from ....core.formats import FORMAT
from . import start

_ROOT = Path(__file__).resolve().parents[4]
#: What runs in pods, and what users' code may have taken along: `log_metric`, a failed item of an earlier map.
_PARTS = ("core", "agent", "home", "pricing", "controller", "places", "client")
#: What a scheduler's pod imports besides Dask and what that brings, by the distribution that has it. Dask's images lack
#: some; the kernel's versions are installed then.
_NEEDED = {"pydantic": "pydantic", "kubernetes.aio": "kubernetes", "aiohttp": "aiohttp"}


@functools.lru_cache(maxsize=1)
def files() -> list[str]:
    """The files that travel, relative to where the package is."""
    package = _ROOT / start.PACKAGE
    found = [package / "__init__.py", package / "_version.py"]
    for part in _PARTS:
        found.extend(path for path in (package / part).rglob("*.py"))
    return sorted(str(path.relative_to(_ROOT)) for path in found)


@functools.lru_cache(maxsize=1)
def packed() -> dict[str, str | bytes]:
    """The files that pods start with: `start.py`, `code.zlib` with its fingerprint, and what it needs.

    A Secret holds 1 MiB. All files compressed in one piece take a quarter less than one by one.
    """
    names = files()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.write(_ROOT / name, name)
    sent = {"format": FORMAT, "names": names, "fingerprint": start.fingerprint(_ROOT, names)}
    needed = [f"{module} {package}=={version(package)}" for module, package in _NEEDED.items()]
    return {
        "start.py": Path(start.__file__).read_text(encoding="utf-8"),
        "code.json": json.dumps(sent),
        "needed.txt": "\n".join(needed),
        "code.zlib": zlib.compress(buffer.getvalue(), 9),
    }
