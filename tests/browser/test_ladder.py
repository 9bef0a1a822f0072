"""A map that tries sizes, asked for in the sidebar: the chart by keyboard, and a choice by a click."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .accessible import assert_accessible
from .lab import Lab, cluster_of, open_lab
from .looks import dark
from .notebook import Notebook, write_notebook
from .sidebar import Sidebar

WIDE = {
    "title": "Wide",
    "groups": [{"workers": 1, "minimum": 0, "maximum": 4, "memory": "600 MiB"}],
    "price": {"cpu_hour": 3.6, "gb_hour": 0},
}
#: An item sleeps for long beside what a busy machine makes it wait: else the tests beside this one would be measured.
CELL = """
%%mlrun --map range(4000) --name "sleep a lot" --cluster wide
import time
time.sleep(0.4)
"""
#: Widths of the sidebar, in pixels.
WIDTHS = (250, 600)

#: Milliseconds for three sizes.
LADDER = 300_000


def test_sizes_are_tried_looked_at_and_chosen(page: Page, lab: Lab, picture: Callable[[str], Path]) -> None:
    lab.api("profiles/wide", "PUT", WIDE)
    write_notebook(lab.work, "sizes.ipynb", ["%load_ext jupyter_mlops", CELL])
    cluster_of(lab, "wide", "wide", 1)
    open_lab(page, lab, "sizes.ipynb")
    sidebar = Sidebar(page).open()
    sidebar.ready("wide", 1)
    notebook = Notebook(page)
    notebook.run(0)
    output = notebook.run(1, wait=False)
    sidebar.run("sleep a lot", "running").locator("[data-mlops=run-open]").click()
    details = page.locator("[data-mlops=run-details]")
    details.locator("[data-mlops=try-sizes]").click()
    says = details.locator("[data-mlops=ladder-says]")
    expect(says).to_have_text(re.compile(r"^Tries [124] workers?\.$"))
    choices = re.compile(r"^To choose from: .*4 workers \(.*fastest\): about .*, \$\d\.\d\d\.$")
    expect(says).to_have_text(choices, timeout=LADDER)
    chart = details.locator("[data-mlops=ladder-chart]")
    chart.focus()
    page.keyboard.press("Home")
    words = details.locator("[data-mlops=ladder-words]")
    expect(words).to_have_text(re.compile(r"^1 worker: \d+\.?\d*/s ± \d+%, \$\d+\.\d\d a million, each at 100%$"))
    page.keyboard.press("End")
    expect(words).to_have_text(re.compile(r"^4 workers: \d+\.?\d*/s"))
    for width in WIDTHS:
        sidebar.resize(width)
        assert sidebar.overflow() <= 0
        for theme in ("light", "dark"):
            dark(page, theme == "dark")
            picture(f"ladder-{theme}-{width}")
    dark(page, on=False)
    assert_accessible(page, "[data-mlops=run-details]")
    expect(output).to_contain_text(re.compile(r"WORKERS +ITEMS/S"))

    lab.api("clusters/wide", "PATCH", {"workers": 2})
    details.locator("[data-mlops=choose-4]").click()
    expect(sidebar.card("wide").locator("[data-mlops=workers]")).to_contain_text("4 workers")
    sidebar.run("sleep a lot").get_by_role("button", name="Cancel sleep a lot").click()
    expect(sidebar.run("sleep a lot", "cancelled")).to_be_visible()
    lab.api("clusters/wide", "DELETE")
