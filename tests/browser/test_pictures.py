"""How it looks: with no, one, twenty and a thousand workers, light and dark, narrow and wide, well and in trouble.

The pictures lie in `screenshots/`; with MLOPS_PICTURES=1 the README's are made anew.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .lab import Lab, cluster_of, command, open_lab, until
from .looks import dark
from .notebook import Notebook, write_notebook
from .sidebar import Sidebar

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
ENVIRONMENT = {"PYTHONPATH": str(ROOT / "benchmarks" / "simulated"), "JUPYTER_MLOPS_SIMULATED": "1000"}

Take = Callable[[str], Path]

FLIGHTS = """%load_ext jupyter_mlops
import pandas as pd, time, random
%mlcluster select flights"""

CLEAN = """%%mlrun --map range(3000) --as part --out delays --name 'clean flights'
time.sleep(0.12)                     # what a part of the work is
delays = pd.Series([random.gauss(12, 40) for _ in range(1000)])
delays.clip(lower=0).mean()"""

PARSE = """%%mlrun --map range(8) --as page --name 'parse docs'
int("7" if page != 5 else "seven")"""


def test_from_none_to_a_thousand_workers(page: Page, lab: Lab, picture: Take) -> None:
    open_lab(page, lab)
    sidebar = Sidebar(page).open()
    card = sidebar.card("simulated", "running")
    card.locator("[data-mlops=details]").click()
    rows = page.locator("[data-mlops=table-row]")
    expect(rows.first).to_be_visible()  # its controller answers; before that it can't be scaled
    for workers in (1000, 20, 1, 0):
        lab.api("clusters/simulated", "PATCH", {"workers": workers})
        words = f"{workers:,} worker{'' if workers == 1 else 's'}"
        expect(card.locator("[data-mlops=workers]")).to_contain_text(words)
        expect(card.locator("[data-mlops=workers]")).not_to_contain_text("starting")
        expect(rows.first).to_be_visible() if workers else expect(rows).to_have_count(0)
        assert rows.count() < 80, "only the rows in sight are drawn"
        for width in (250, 340):
            sidebar.resize(width)
            assert sidebar.overflow() == 0
        for night in (False, True):
            dark(page, night)
            picture(f"{workers}-workers-{'dark' if night else 'light'}")


def test_every_part_of_the_details(page: Page, lab: Lab, picture: Take) -> None:
    until(lambda: lab.api("clusters/simulated")["phase"] == "running")
    lab.api("clusters/simulated", "PATCH", {"workers": 200})
    open_lab(page, lab)
    Sidebar(page).open().card("simulated", "running").locator("[data-mlops=details]").click()
    for night in (False, True):
        dark(page, night)
        for part in ("Workers", "Timeline", "Events", "Logs", "Cost"):
            page.get_by_role("tab", name=part, exact=True).click()
            expect(page.locator(f"[data-mlops=part-{part.lower()}]")).to_be_visible()
            expect(page.locator("[data-mlops=log]")).to_have_count(1 if part == "Logs" else 0)
            picture(f"details-{part.lower()}-{'dark' if night else 'light'}")


def test_a_screenful_of_work(page: Page, lab: Lab, picture: Take) -> None:
    """The README's picture: a run in the sidebar and under its cell, one that failed, and a start that was refused."""
    lab.api("clusters/simulated", "DELETE")
    price = {"cpu_hour": 2.4, "source": "your settings", "date": "2026-11-01"}
    groups = [{"workers": 4, "minimum": 0, "maximum": 8, "memory": "600 MiB"}]
    lab.api("profiles/flights", "PUT", {"title": "Flights", "groups": groups, "price": price})
    cluster_of(lab, "flights", "flights")
    write_notebook(lab.work, "flights.ipynb", [FLIGHTS, PARSE, CLEAN])
    open_lab(page, lab, "flights.ipynb")
    sidebar = Sidebar(page).open()
    sidebar.resize(330)
    dark(page, False)
    notebook = Notebook(page)
    notebook.run(0)
    notebook.run(1)
    expect(sidebar.run("parse docs")).to_contain_text("item 5")
    notebook.run(2, wait=False)
    live = sidebar.run("clean flights", "running")
    expect(live.locator("[data-mlops=run-info]")).to_have_text(re.compile(r"^\d\d % · .+ left"))
    taken = picture("journey-light"), dark(page, True), picture("journey-dark")
    assert sidebar.overflow() == 0
    if os.environ.get("MLOPS_PICTURES") == "1":
        IMAGES.mkdir(exist_ok=True)
        shutil.copy(taken[0], IMAGES / "sidebar-light.png")
        shutil.copy(taken[2], IMAGES / "sidebar-dark.png")

    command(page, "jupyter-mlops:cluster-start", {"profile": "flights", "name": "flights"})
    expect(sidebar.clusters.locator("[data-phase=failed]")).to_contain_text("flights")
    for night in (True, False):
        dark(page, night)
        picture(f"trouble-{'dark' if night else 'light'}")
    live.get_by_role("button", name="Cancel clean flights").click()
    expect(sidebar.run("clean flights", "cancelled")).to_have_count(1)
