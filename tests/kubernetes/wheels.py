"""Tiny pure-Python packages that no image has."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path


def wheel(folder: Path, name: str, version: str, text: str, *requires: str) -> Path:
    """The wheel of a package whose only module has this text."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {each}\n" for each in requires)
    files = {
        f"{name}/__init__.py": text,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{member},,\n" for member in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(member, content)
    return path


def install(folder: Path, made: Path) -> None:
    """Install a wheel into `folder`, as pip does."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    subprocess.run([*command, str(made)], check=True)
