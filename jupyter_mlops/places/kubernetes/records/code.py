"""The part of this package that runs in pods, packed so that any image with Dask and our dependencies can run it."""

from __future__ import annotations

import functools
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files as files_of
from pathlib import Path

from ....core.formats import FORMAT
from . import start

_ROOT = Path(__file__).resolve().parents[4]
#: What runs in pods, and what users' code may have taken along: `log_metric`, a failed item of an earlier map.
_PARTS = ("core", "agent", "home", "pricing", "controller", "places", "client")
#: What a scheduler's pod imports besides Dask and what that brings, by the distribution that has it. Dask's images lack
#: some; the kernel's versions are installed then.
_NEEDED = {"pydantic": "pydantic", "kubernetes.aio": "kubernetes", "aiohttp": "aiohttp"}
#: What of these nobody needs in the pods of a cluster.
_NOT_IN_CLUSTERS = (
    "places/kubernetes/services/",
    "places/kubernetes/schedules/",
    *(
        f"core/{name}.py"
        for name in ("board", "compared", "distributed", "elsewhere", "foresight", "history", "log_questions", "schema")
    ),
    *(f"home/{name}.py" for name in ("elsewhere", "request_copies")),
)
#: What of these only the wall needs, and the parts for its own pod, which knows no Dask.
_WALL = ("core/wall.py", "places/kubernetes/wall/")
_PARTS_OF_WALL = ("core", "agent", "home", "pricing", "controller", "places")
#: The same of the pods of a service.
_PARTS_OF_SERVICE = ("core", "agent", "home", "client", "registry", "serving")
_NEEDED_OF_SERVICE = {
    "pydantic": "pydantic",
    "tornado": "tornado",
    "numpy": "numpy",
    "cloudpickle": "cloudpickle",
    "packaging": "packaging",
    "psutil": "psutil",
}
#: The same of the pods that run notebooks by themselves, which do what a notebook's kernel does; without its widgets.
_PARTS_OF_PIPELINE = (*_PARTS, "tracking", "pipelines", "notebook")
_WIDGETS = "notebook/panel/"
_NEEDED_OF_PIPELINE = {
    **_NEEDED,
    "IPython": "ipython",
    "cloudpickle": "cloudpickle",
    "cryptography": "cryptography",
    "jupyter_core": "jupyter_core",
    "packaging": "packaging",
    "psutil": "psutil",
}
#: And a package that travels with it: it is small, all Python, and few images have it.
_BROUGHT_TO_SERVICE = ("prometheus_client",)


def files(parts: tuple[str, ...] = _PARTS) -> list[str]:
    """The files that travel, relative to where the package is."""
    package = _ROOT / start.PACKAGE
    found = [package / "__init__.py", package / "_version.py"]
    for part in parts:
        found.extend(path for path in (package / part).rglob("*.py"))
    without: tuple[str, ...] = () if parts == _PARTS_OF_WALL else (*_WALL, _WIDGETS)
    if parts == _PARTS:
        without += _NOT_IN_CLUSTERS
    left_out = tuple(f"{start.PACKAGE}/{name}" for name in without)
    names = sorted(path.relative_to(_ROOT).as_posix() for path in found)
    return [name for name in names if not name.startswith(left_out)]


@functools.lru_cache(maxsize=1)
def packed() -> dict[str, str | bytes]:
    """The files that the pods of a cluster start with: `start.py`, `code.zlib` with its fingerprint, and what it needs.

    A Secret holds 1 MiB. All files compressed in one piece take a quarter less than one by one.
    """
    return _packed(_PARTS, _NEEDED)


@functools.lru_cache(maxsize=1)
def packed_for_service() -> dict[str, str | bytes]:
    """The same for the pods of a service."""
    return _packed(_PARTS_OF_SERVICE, _NEEDED_OF_SERVICE, _BROUGHT_TO_SERVICE)


@functools.lru_cache(maxsize=1)
def packed_for_pipeline() -> dict[str, str | bytes]:
    """The same for the pods of a notebook that is run by itself."""
    return _packed(_PARTS_OF_PIPELINE, _NEEDED_OF_PIPELINE)


@functools.lru_cache(maxsize=1)
def packed_for_wall() -> dict[str, str | bytes]:
    """The same for the wall's pod."""
    return _packed(_PARTS_OF_WALL, _NEEDED)


def _packed(parts: tuple[str, ...], needed: Mapping[str, str], brought: tuple[str, ...] = ()) -> dict[str, str | bytes]:
    names = files(parts)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.write(_ROOT / name, name)
        for package in brought:  # not in the fingerprint: an image that has this package has those that it needs
            folder = Path(str(files_of(package)))
            for path in sorted(folder.rglob("*.py")):
                archive.write(path, str(Path(package) / path.relative_to(folder)))
    sent = {"format": FORMAT, "names": names, "fingerprint": start.fingerprint(_ROOT, names)}
    pins = [f"{module} {package}=={version(package)}" for module, package in needed.items()]
    return {
        "start.py": Path(start.__file__).read_text(encoding="utf-8"),
        "code.json": json.dumps(sent),
        "needed.txt": "\n".join(pins),
        "code.zlib": zlib.compress(buffer.getvalue(), 9),
    }
