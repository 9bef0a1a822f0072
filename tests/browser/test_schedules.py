"""A notebook that runs by itself, from the clicks that say so to a run on this machine, and how the list looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from jupyter_mlops.core.schedule import Schedule
from jupyter_mlops.home.schedules import read_schedules, remove_schedule, write_schedule

from ..pipelines.clocks import until_no_clock_is_left
from .accessible import assert_accessible
from .lab import Lab, cluster_of, open_lab
from .looks import dark
from .notebook import write_notebook
from .sidebar import Sidebar

ENVIRONMENT = {"JUPYTER_MLOPS_TRACKING_URI": "off"}

SMALL = {"title": "Small", "groups": [{"workers": 1, "minimum": 0, "maximum": 1, "memory": "600 MiB"}]}

#: Nothing above makes what it reads.
FAILS = "%%mlrun --step load\ntable = unknown"


@pytest.fixture
def home(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The server's home, which this process writes, too; in the end nothing is scheduled there."""
    home = Path(lab.environment["JUPYTER_MLOPS_HOME"])
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(home))
    yield home
    for schedule in read_schedules():
        remove_schedule(schedule.notebook)
    until_no_clock_is_left(home)


def row(sidebar: Sidebar, name: str, phase: str | None = None) -> Locator:
    """The row of a notebook."""
    state = f"[data-phase={phase}]" if phase else ""
    return sidebar.schedules.locator(f"[data-mlops=schedule][data-name='{name}']{state}")


def test_a_notebook_is_scheduled_runs_fails_is_changed_and_ended(page: Page, lab: Lab, home: Path) -> None:
    lab.api("profiles/small", "PUT", SMALL)
    cluster_of(lab, "small", "bench")
    write_notebook(lab.work, "late.ipynb", ["%%mlrun --step load\ntable = [1, 2]\nprint('loaded', len(table))"])
    open_lab(page, lab, "late.ipynb")
    sidebar = Sidebar(page).open()
    expect(sidebar.schedules).to_have_count(0)

    page.locator(".jp-Notebook .jp-Cell").first.click(button="right")
    sidebar.menu_item("Run by Itself…").click()
    dialog = page.locator("[data-mlops=schedule-dialog]")
    expect(dialog.locator("[data-mlops=schedule-count]")).to_be_focused()
    assert_accessible(page, ".jp-mlops-dialog")
    dialog.locator("[data-mlops=schedule-unit]").select_option("week")
    dialog.locator("[data-mlops=schedule-now]").click()
    expect(dialog).to_have_count(0)
    late = row(sidebar, "late.ipynb")
    expect(late.locator("[data-mlops=schedule-went]")).to_have_text("hasn’t run yet")
    expect(late.locator("[data-mlops=schedule-plan]")).to_contain_text("every week at 02:00")
    assert_accessible(page, ".jp-mlops-sidebar")

    late.locator("[data-mlops=schedule-run]").click()
    expect(row(sidebar, "late.ipynb", "done")).to_have_count(1)
    expect(sidebar.run("load", "done")).to_have_count(1)
    late.locator("[data-mlops=schedule-log-open]").click()
    expect(page.locator("[data-mlops=schedule-log]")).to_contain_text("loaded 2")
    assert_accessible(page, ".jp-mlops-watch-dialog")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()

    write_notebook(lab.work, "late.ipynb", [FAILS])
    late.locator("[data-mlops=schedule-run]").click()
    expect(row(sidebar, "late.ipynb", "failed")).to_have_count(1)
    expect(late.locator("[data-mlops=schedule-failed]")).to_contain_text("'load' reads 'unknown'")
    assert_accessible(page, ".jp-mlops-sidebar")

    late.locator("[data-mlops=schedule-change]").click()
    expect(dialog.locator("[data-mlops=schedule-before]")).to_contain_text("every week at 02:00")
    dialog.locator("[data-mlops=schedule-at]").fill("04:30")
    dialog.locator("[data-mlops=schedule-now]").click()
    expect(dialog.locator("[data-mlops=problem]")).to_contain_text("'load' reads 'unknown'")
    expect(dialog.locator("[data-mlops=schedule-at]")).to_have_value("04:30")  # what was typed is kept
    assert_accessible(page, ".jp-mlops-dialog")
    write_notebook(lab.work, "late.ipynb", ["%%mlrun --step load\ntable = [1, 2, 3]"])
    dialog.locator("[data-mlops=schedule-now]").click()
    expect(dialog).to_have_count(0)
    expect(late.locator("[data-mlops=schedule-plan]")).to_contain_text("every week at 04:30")

    late.locator("[data-mlops=schedule-end]").click()
    page.get_by_role("dialog").get_by_role("button", name="No more").click()
    expect(sidebar.schedules).to_have_count(0)
    assert not read_schedules() and (lab.work / "late.ipynb").exists()


def test_how_it_looks(page: Page, lab: Lab, home: Path, picture: Callable[[str], Path]) -> None:
    """With one, with twenty, some of which failed, run or lie elsewhere; light and dark, narrow and wide."""
    open_lab(page, lab)
    sidebar = Sidebar(page).open()
    now, later = time.time(), {"every": "1 week at 03:00", "created": time.time()}
    for count in (0, 1, 20):
        for number in range(len(read_schedules()), count):
            path = str(lab.work / f"report-{number}.ipynb")
            if number == 4:
                path = str(lab.folder / "a folder that nobody sees" / "customers-with-a-very-long-name-indeed.ipynb")
            went = {"began": now - 7200.0, "ended": now - 7000.0, "code": 0}
            if number == 7:
                went |= {"code": 1, "said": "KeyError: 'age', which the table of the step load has no column for"}
            write_schedule(Schedule(notebook=path, cluster="bench" if number == 5 else None, **later, **went))
        rows = sidebar.schedules.locator("[data-mlops=schedule]")
        expect(rows).to_have_count(count)
        if count == 20:
            expect(rows.first).to_have_attribute("data-phase", "failed")  # at a glance
            rows.first.scroll_into_view_if_needed()
        for width in (250, 600):
            sidebar.resize(width)
            assert sidebar.overflow() == 0
            for night in (False, True):
                dark(page, night)
                picture(f"schedules-{count}-{width}-{'dark' if night else 'light'}")
                if count:
                    assert_accessible(page, ".jp-mlops-sidebar")
    for night in (False, True):
        dark(page, night)
        row(sidebar, "report-5.ipynb").locator("[data-mlops=schedule-change]").click()
        expect(page.locator("[data-mlops=schedule-where]")).to_contain_text("bench")
        picture(f"schedule-dialog-{'dark' if night else 'light'}")
        page.keyboard.press("Escape")
