"""Packages of a private index are not looked for on the public one."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.agent.packages import bring, platform_of
from jupyter_mlops.cli.main import main
from jupyter_mlops.client.packages import bundle
from jupyter_mlops.client.send.environment import needed
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.places import get
from jupyter_mlops.places.package_index import is_public, package_index

from ..kubernetes.wheels import wheel


@pytest.fixture(autouse=True)
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """pip's own file of settings; no others."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    package_index.cache_clear()
    yield tmp_path / "pip.conf"
    package_index.cache_clear()


def test_where_pip_looks(pip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip.write_text("[global]\nindex-url = https://one/simple\nextra-index-url =\n  https://two\n  https://three\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://four/simple")
    monkeypatch.setenv("UV_INDEX_URL", "https://five/simple")
    found = package_index()
    assert found["PIP_INDEX_URL"] == "https://four/simple", "as pip has it: the environment goes before the file"
    assert found["PIP_EXTRA_INDEX_URL"] == "https://two https://three"
    assert is_public(found) and is_public({})
    for place in ("https://ann:secret@one/simple", "https://token@one", "file:///srv/simple", "/srv/wheels"):
        assert not is_public({"PIP_INDEX_URL": "https://one", "PIP_FIND_LINKS": place})


def test_pods_install_nothing_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    place, profile = get("kubernetes"), Profile(name="p", place="kubernetes", groups=[Group()])
    monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.corp/simple")
    options = place.with_packages(profile, ["corp==1.0"]).options
    assert options["kernel_packages"] == ["corp==1.0"]
    assert options["package_index"]["PIP_INDEX_URL"] == "https://pypi.corp/simple"
    package_index.cache_clear()
    monkeypatch.setenv("PIP_INDEX_URL", "https://ann:secret@pypi.corp/simple")
    assert place.with_packages(profile, ["corp==1.0"]) == profile, "no pins, and no login in a spec"


def test_a_worker_asks_the_kernels_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("private", "VERSION = 'ours'\n"), ("public", "VERSION = 'of a stranger'\n")):
        (tmp_path / name).mkdir()
        wheel(tmp_path / name, "tinycorp", "1.0", text)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "private"))
    packed = bundle.pack([needed(["numpy"])["numpy"]], platform_of())
    assert packed["pins"], "numpy is too large to go as files"
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "public"))  # from here on, the worker
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "worker").mkdir(mode=0o700)
    bring({**packed, "pins": ["tinycorp==1.0"], "modules": ["tinycorp"]}, tmp_path / "worker")
    assert importlib.import_module("tinycorp").VERSION == "ours"
    del sys.modules["tinycorp"]


def test_an_image_is_made_from_the_same_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://ann:s3cr3t@pypi.corp/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://two https://three")
    assert main(["image", "--output", str(tmp_path / "Dockerfile")]) == 0
    lines = (tmp_path / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if line.startswith("--")] == [
        "--index-url https://pypi.corp/simple", "--extra-index-url https://two", "--extra-index-url https://three"
    ]  # fmt: skip
    assert "s3cr3t" not in "\n".join(lines) and any("netrc" in line for line in lines)
