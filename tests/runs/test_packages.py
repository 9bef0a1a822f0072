"""Packages that are brought to a process, as workers do it: files, what pip installs beside them, and what can't be."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from jupyter_mlops.agent.packages import CantBring, bring, platform_of
from jupyter_mlops.client.packages import bundle
from jupyter_mlops.client.send.environment import Needed, exact_list, needed
from jupyter_mlops.core.errors import VersionMismatch

from ..kubernetes.wheels import install, wheel


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A worker's folder; pip finds wheels beside it only. What was imported from it is forgotten."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    place = tmp_path / "worker"
    place.mkdir()
    yield place
    for name in [name for name in sys.modules if name.startswith("tiny")]:
        del sys.modules[name]


def test_files_and_pins_come_together_and_another_version_makes_room(folder: Path) -> None:
    old, new = (_installed(folder.parent / version, "tinyone", version) for version in ("1.0", "2.0"))
    wheel(folder.parent, "tinylarge", "3.0", "VERSION = '3.0'\n")
    bring(bundle.pack([old], platform_of()), folder)
    assert importlib.import_module("tinyone").VERSION == "1.0"
    packed = bundle.pack([new], platform_of())
    bring({**packed, "digest": "other", "pins": ["tinylarge==3.0"]}, folder)
    assert importlib.import_module("tinyone").VERSION == "2.0"
    assert importlib.import_module("tinylarge").VERSION == "3.0"
    assert importlib.metadata.version("tinyone") == "2.0"
    assert bundle.pack([new], platform_of()) == packed, "the same packages are the same bundle"


def test_what_can_not_be_brought_says_why(folder: Path) -> None:
    nothing = {"digest": "x", "files": bundle.pack([], platform_of())["files"], "pins": [], "modules": []}
    with pytest.raises(CantBring, match=r"pip can't install tinynone==1\.0: .*No matching distribution"):
        bring({**nothing, "pins": ["tinynone==1.0"]}, folder)
    assert not list(folder.iterdir()), "half a folder would be taken for a whole one"
    import numpy  # noqa: F401 - loaded, and compiled

    with pytest.raises(CantBring, match="another version of numpy is in use there"):
        bring({**nothing, "modules": ["numpy"]}, folder)


def test_compiled_packages_are_pins_on_another_platform_and_large_ones_everywhere(tmp_path: Path) -> None:
    numpy = needed(["numpy"])["numpy"]
    assert bundle.pack([numpy], platform_of())["pins"] == [f"numpy=={numpy.version}"]
    compiled = _installed(tmp_path, "tinyc", "1.0", "fast.so")
    assert bundle.pack([compiled], platform_of())["pins"] == []
    far = {**platform_of(), "platform": "macosx-14.0-arm64"}
    assert bundle.pack([compiled], far)["pins"] == ["tinyc==1.0"]
    (tmp_path / "tinyc-1.0.dist-info" / "direct_url.json").write_text('{"url": "file:///home/ann/tinyc"}')
    with pytest.raises(VersionMismatch, match="jupyter mlops image"):
        bundle.pack([compiled], far)


def test_the_exact_list_has_what_is_needed_in_turn_and_nothing_that_is_the_images_own() -> None:
    pins = exact_list({"pandas", "dask", "os"})
    assert f"numpy=={importlib.metadata.version('numpy')}" in pins and not any(pin.startswith("dask==") for pin in pins)


def _installed(folder: Path, name: str, version: str, *more: str) -> Needed:
    folder.mkdir(exist_ok=True)
    install(folder, wheel(folder, name, version, f"VERSION = {version!r}\n"))
    info = folder / f"{name}-{version}.dist-info"
    (info / "direct_url.json").unlink()  # as if it had come from an index
    for each in more:
        (folder / name / each).write_bytes(b"compiled")
        with (info / "RECORD").open("a") as record:
            record.write(f"{name}/{each},,\n")
    return Needed(PathDistribution(info))
