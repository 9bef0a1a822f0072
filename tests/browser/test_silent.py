"""What can't be asked or read is said where clusters are listed: it hides no other cluster, and claims nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .lab import Lab, open_lab, opened
from .looks import dark
from .sidebar import Sidebar

#: A place that is there and can't be asked.
SILENT = """
from jupyter_mlops.places.local.backend import LocalBackend
class Silent(LocalBackend):
    place = "silent"
    async def clusters(self):
        raise KeyError("partition")
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, lab_port: int) -> Iterator[Lab]:
    """A JupyterLab with a place that doesn't answer."""
    folder = tmp_path_factory.mktemp("silent")
    info = folder / "packages" / "silent_place-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: silent-place\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[jupyter_mlops.places]\nsilent = silent_place:Silent\n")
    (info.parent / "silent_place.py").write_text(SILENT)
    with opened(folder, {"PYTHONPATH": str(info.parent)}, lab_port) as lab:
        yield lab


def test_a_place_that_does_not_answer(page: Page, lab: Lab, picture: Callable[[str], Path]) -> None:
    open_lab(page, lab)
    sidebar = Sidebar(page).open()
    line = sidebar.clusters.locator("[data-mlops=silent-place][data-name=silent]")
    expect(line.locator("summary")).to_contain_text("what is there is not known")
    expect(sidebar.empty).to_have_count(0)
    remedy = line.get_by_text("silent-place", exact=False).last
    expect(remedy).to_be_hidden()
    for width in (250, 600):
        sidebar.resize(width)
        assert sidebar.overflow() == 0, f"too wide for {width} px"
        for theme in ("light", "dark"):
            dark(page, theme == "dark")
            picture(f"silent-{width}-{theme}")
    line.locator("summary").press("Enter")
    expect(remedy).to_be_visible()
    dark(page, False)
    sidebar.resize(250)
    assert sidebar.overflow() == 0
    picture("silent-250-open")
