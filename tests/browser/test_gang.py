"""A gang and a sweep in a notebook: what they say under the cell, and what the sidebar shows of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .accessible import assert_accessible
from .lab import Lab, cluster_of, command, open_lab
from .looks import dark
from .notebook import Notebook, write_notebook
from .sidebar import Sidebar

CELL = """
%%mlrun --gang 2 --name "learn digits" --cluster pair --hang off
import os, time
from pathlib import Path
folder = mlops.resume()
begin = folder.step if folder is not None else 0
for step in range(begin + 1, 61):
    time.sleep(0.1)
    while step == 30 and not Path("SEEN").exists():  # it is looked at in the middle of its work
        time.sleep(0.1)
    mlops.log_metric("loss", 3 / step + 0.1 * mlops.rank(), step)
    mlops.log_metric("accuracy", 1 - 1 / step, step)
    if step == 13 and mlops.rank() == 1 and begin == 0:
        while not Path("SAVED").exists():  # by the other rank, too, which may be slower
            time.sleep(0.1)
        os._exit(1)
    if step % 5 == 0:
        with mlops.checkpoint(step, best=step / 60) as folder:
            (folder / f"rank-{mlops.rank()}").write_text("state")
begin
"""
SWEEP = """
def objective(x, kind):
    for step in range(20):
        mlops.log_metric("loss", (1 + step) ** -x, step)
    if kind == "bad":
        raise ValueError("never that")
    return x
found = mlops.sweep(objective, {"x": mlops.log(0.01, 1), "kind": ["good", "bad"]}, trials=12, seed=1, cluster="pair")
found.result()
"""
PAIR = {"title": "Pair", "groups": [{"workers": 2, "minimum": 0, "maximum": 3, "memory": "600 MiB"}]}
#: Widths of the sidebar, in pixels.
WIDTHS = (250, 600)


def test_a_gang_says_why_it_began_again_and_a_sweep_what_it_tried(
    page: Page, lab: Lab, picture: Callable[[str], Path]
) -> None:
    lab.api("profiles/pair", "PUT", PAIR)
    seen, saved = lab.work / "seen", lab.work / "saved"
    cell = CELL.replace("SEEN", str(seen)).replace("SAVED", str(saved))
    cells = ["%load_ext jupyter_mlops\nimport jupyter_mlops as mlops", cell, SWEEP]
    write_notebook(lab.work, "gang.ipynb", cells)
    cluster_of(lab, "pair", "pair", 2)
    open_lab(page, lab, "gang.ipynb")
    sidebar = Sidebar(page).open()
    sidebar.ready("pair", 2)
    notebook = Notebook(page)
    notebook.run(0)
    output = notebook.run(1, wait=False)
    row = sidebar.run("learn digits", "running")
    expect(row).to_contain_text("2 ranks · step 10 saved")
    saved.touch()
    expect(output).to_contain_text("[gang] rank 1: ProcessEnded: the code ended its own process")
    expect(output).to_contain_text("[gang] It goes on from step 10")
    row.locator("[data-mlops=run-open]").click()
    details = page.locator("[data-mlops=run-details]")
    expect(details).to_contain_text("Attempt2")
    expect(details).to_contain_text("Savedstep")
    curve = details.locator("[data-mlops=curve]").first
    expect(curve).to_have_attribute("aria-label", re.compile(r"^loss: .* at step \d\d, from 3, .*, 2 ranks$"))
    expect(output.locator("svg[aria-label^='loss: from']")).to_be_visible()
    ranks = details.locator("[data-mlops=rank]")
    expect(ranks).to_have_count(2)
    ranks.first.focus()
    page.keyboard.press("ArrowRight")
    expect(details.locator("[data-mlops=rank-words]")).to_have_text(
        re.compile(r"^rank 1 · (running|saving) · step \d+ · (\d behind · )?default-[12] · \d+ MB$")
    )
    for width in WIDTHS:
        sidebar.resize(width)
        assert sidebar.overflow() <= 0
        for theme in ("light", "dark"):
            dark(page, theme == "dark")
            picture(f"gang-{theme}-{width}")
    details.locator("[data-mlops=open-curves]").click()
    tab = page.locator("[data-mlops=curves-view]")
    expect(tab.locator("[data-mlops=curve-numbers] tbody tr")).to_have_count(2)
    tab.locator("[data-mlops=curve-each]").check()
    tab.locator("[data-mlops=curve-log]").check()
    expect(tab.locator(".u-legend")).to_contain_text("learn digits rank 1")
    picture("curves-dark-log")
    dark(page, on=False)
    tab.locator("[data-mlops=curve-each]").uncheck()
    tab.locator("[data-mlops=curve-log]").uncheck()
    picture("curves-light")
    seen.touch()
    assert_accessible(page, "[data-mlops=curves-view]")
    command(page, "docmanager:open", {"path": "gang.ipynb"})
    expect(sidebar.run("learn digits", "done")).to_be_visible()
    expect(output).to_contain_text("10")
    sidebar.run("learn digits").locator("[data-mlops=run-open]").click()
    _sweep(page, sidebar, notebook, picture)


def _sweep(page: Page, sidebar: Sidebar, notebook: Notebook, picture: Callable[[str], Path]) -> None:
    table = notebook.run(2).locator("table")
    expect(table.locator("td").first).to_contain_text("★")
    row = sidebar.run("objective", "done")
    expect(row).to_contain_text(re.compile(r"best 0\.\d+ · 12 trials"))
    row.locator("[data-mlops=run-open]").click()
    details = row.locator("[data-mlops=run-details]")
    expect(details).to_contain_text(re.compile(r"Trials12: \d done, \d failed"))
    expect(details.locator("[data-mlops=parallel] path")).to_have_count(12)
    rows = details.locator("[data-mlops=table-row]")
    expect(rows.first).to_contain_text("the best one")
    details.locator("[data-mlops=sort-state]").click()
    expect(rows.nth(11)).to_contain_text("failed: ValueError: never that")
    curve = details.locator("[data-mlops=curve]").first
    expect(curve).to_have_attribute("aria-label", re.compile(r"^loss, trial \d+: .*\. 11 other trials, faint$"))
    for width in WIDTHS:
        sidebar.resize(width)
        for theme in ("light", "dark"):
            dark(page, theme == "dark")
            curve.scroll_into_view_if_needed()
            picture(f"sweep-{theme}-{width}")
    assert_accessible(page, "[data-mlops=run-details]")
    details.locator("[data-mlops=open-curves]").click()
    tab = page.locator("[data-mlops=curves-view]").last
    ticks = tab.locator("[data-mlops=curve-numbers] input")
    expect(ticks).to_have_count(12)
    expect(tab.locator("[data-mlops=curve-rest]")).to_contain_text("The other 9 trials are faint")
    ticks.nth(11).check()
    expect(tab.locator("[data-mlops=curve-rest]")).to_contain_text("The other 8 trials are faint")
    picture("curves-sweep-dark")
    assert_accessible(page, ".lm-Widget:not(.lm-mod-hidden) > [data-mlops=curves-view]")
    dark(page, on=False)
    picture("curves-sweep-light")
    command(page, "docmanager:open", {"path": "gang.ipynb"})
    details.locator("[data-mlops=open-trials]").click()
    tab = page.locator("[data-mlops=sweep-view]")
    expect(tab.locator("[data-mlops=parallel] path")).to_have_count(12)
    dark(page, on=True)
    picture("sweep-tab-dark")
    assert_accessible(page, "[data-mlops=sweep-view]")
