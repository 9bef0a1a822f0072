"""One version, wherever it is written."""

from __future__ import annotations

import importlib.metadata
import json
import re
from pathlib import Path

import jupyter_mlops

ROOT = Path(__file__).parents[2]


def test_the_labextension_has_the_packages_version() -> None:
    package = json.loads((ROOT / "labextension" / "package.json").read_text())
    assert package["version"] == jupyter_mlops.__version__


def test_the_changelogs_newest_release_is_the_version() -> None:
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert next(version for version in versions if version != "Unreleased") == jupyter_mlops.__version__


def test_what_is_installed_is_this_version() -> None:
    assert importlib.metadata.version("jupyter-mlops") == jupyter_mlops.__version__
