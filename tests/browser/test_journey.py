"""The main job from an empty sidebar to a receipt, clicked as a user clicks it: the same in every place."""

from __future__ import annotations

import csv
import os
import re
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from .accessible import assert_accessible
from .lab import Lab, command, open_lab, opened, until
from .notebook import Notebook, write_notebook
from .place import THIS_MACHINE, Place
from .sidebar import Sidebar

#: Its last item waits until it was looked at.
MAP = """%%mlrun --map range(40) --as number --out squares --name squares
import os, time
time.sleep(0.4)
while number == 39 and not os.path.exists("SEEN"):
    time.sleep(0.1)
number ** 2"""

CELLS = ["%load_ext jupyter_mlops\nimport os\nprint('pid', os.getpid())", MAP, "print(len(squares), squares[-1])"]


@pytest.fixture(scope="module", params=["this machine", pytest.param("kubernetes", marks=pytest.mark.kubernetes)])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "this machine":
        return THIS_MACHINE
    pods: Place = request.getfixturevalue("pods")
    return pods


@pytest.fixture(scope="module")
def lab(place: Place, tmp_path_factory: pytest.TempPathFactory, lab_port: int) -> Iterator[Lab]:
    with opened(tmp_path_factory.mktemp("lab"), place.environment, lab_port) as lab:
        if place is not THIS_MACHINE:
            place.save(lab, place.profile, place.title, {"workers": place.workers, "maximum": 4})
        idle = 25 if place is THIS_MACHINE else 40  # its worker is to come before
        place.save(lab, "brief", "Brief", {"workers": 1}, limits={"idle_timeout": idle})
        yield lab


def test_from_nothing_to_a_receipt(page: Page, lab: Lab, place: Place) -> None:
    context = page.context
    seen = (place.tmp or lab.work) / "seen"
    write_notebook(lab.work, "journey.ipynb", [cell.replace("SEEN", str(seen)) for cell in CELLS])
    open_lab(page, lab, "journey.ipynb")
    sidebar = Sidebar(page).open()
    expect(sidebar.empty).to_contain_text("stops by itself")
    name_a_price(page, lab)
    page.get_by_role("tab", name="journey.ipynb").click()

    name = start_in_two_clicks(sidebar, place)
    pid = map_a_cell(page, sidebar, name, lambda: place.touch(seen))
    scale(sidebar, place, name)
    page.close()

    os.kill(pid, signal.SIGKILL)
    lab.kill()
    lab.start()
    later = context.new_page()
    open_lab(later, lab)
    still_there(later, name)
    stops_when_idle(later)
    tells_the_month(later)


def name_a_price(page: Page, lab: Lab) -> None:
    command(page, "jupyter-mlops:settings-open")
    page.locator("input[id$=_cpuHour]").fill("360")
    until(lambda: bool(lab.api("settings")["price"]["cpu_hour"] == 360))


def start_in_two_clicks(sidebar: Sidebar, place: Place) -> str:
    """Returns the cluster's name."""
    sidebar.start(place.title)
    name = sidebar.made_of(place.profile)
    expect(sidebar.empty).to_have_count(0)
    card = sidebar.ready(name, place.workers)
    expect(card.locator("[data-mlops=cost]")).to_contain_text(_rate(place, place.workers))
    expect(card.locator("[data-mlops=will-stop]")).to_have_text("stops in 20 min unless used")
    return name


def map_a_cell(page: Page, sidebar: Sidebar, name: str, let_end: Callable[[], None]) -> int:
    """Returns the kernel's process."""
    notebook = Notebook(page)
    told = notebook.run(0)
    expect(told).to_have_text(re.compile(r"pid \d+"))
    pid = told.inner_text()
    mapped = notebook.run(1, wait=False)
    live = sidebar.run("squares", "running")
    expect(live.get_by_role("progressbar")).to_be_visible()
    expect(live.locator("[data-mlops=run-info]")).to_contain_text("%")
    expect(sidebar.card(name).locator("[data-mlops=workers]")).to_contain_text("busy")
    expect(mapped.locator(".widget-hprogress, .jupyter-widgets").first).to_be_visible()
    let_end()
    done = sidebar.run("squares", "done")
    expect(done).to_have_count(1)
    expect(done).to_contain_text("$")
    expect(notebook.run(2)).to_contain_text("40 1521")
    return int(pid.split()[-1])


def scale(sidebar: Sidebar, place: Place, name: str) -> None:
    card = sidebar.card(name)
    before = int(card.get_by_role("spinbutton").input_value())
    card.get_by_role("button", name="One worker more").click()
    sidebar.ready(name, before + 1)
    expect(card.locator("[data-mlops=cost]")).to_contain_text(_rate(place, before + 1))
    for _ in range(before):
        card.get_by_role("button", name="One worker fewer").click()
    sidebar.ready(name, 1)
    expect(card.locator("[data-mlops=cost]")).to_contain_text(_rate(place, 1))


def _rate(place: Place, workers: int) -> str:
    return f"${360 * place.cpus * workers:,.2f}/h"


def still_there(page: Page, name: str) -> None:
    sidebar = Sidebar(page).open()
    card = sidebar.ready(name, 1)
    expect(card.locator("[data-mlops=chart]")).to_be_visible()
    expect(sidebar.run("squares", "done")).to_have_count(1)
    card.locator("[data-mlops=details]").click()
    page.get_by_role("tab", name="Events", exact=True).click()
    expect(page.locator("[data-mlops=part-events]")).to_contain_text("The cluster started")
    sidebar.stop(name)
    expect(sidebar.ended(name)).to_contain_text("stopped by you")


def stops_when_idle(page: Page) -> None:
    sidebar = Sidebar(page)
    sidebar.start("Brief")
    name = sidebar.made_of("brief")
    expect(sidebar.card(name).locator("[data-mlops=will-stop]")).to_contain_text("unless used")
    ended = sidebar.ended(name)
    expect(ended).to_contain_text("nobody used it")
    expect(ended).to_contain_text(re.compile(r"\$\d+\.\d\d"))
    ended.locator("[data-mlops=receipt]").click()
    receipt = page.locator("[data-mlops=receipt-sheet]:visible")
    expect(receipt).to_contain_text("in all")
    expect(receipt).to_contain_text("your settings")


def tells_the_month(page: Page) -> None:
    sidebar = Sidebar(page)
    money = sidebar.root.locator("[data-mlops=money]")
    money.locator("[data-mlops=fold-money]").click()
    expect(money.locator("[data-mlops=month-sum]")).to_contain_text("$")
    expect(money.locator("[data-mlops=waterfall]")).to_contain_text("Stopped when idle− $")
    assert_accessible(page, "[data-mlops=money]")
    sidebar.resize(250)
    assert sidebar.overflow() == 0
    money.locator("[data-mlops=export-costs]").click()
    with page.expect_download() as download:
        sidebar.menu_item("CSV").click()
    assert re.fullmatch(r"costs-\d{4}-\d\d\.csv", download.value.suggested_filename)
    with download.value.path().open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and all(float(row["amount"]) > 0 for row in rows)
