"""What can be done in the sidebar besides the journey, and what it says when something is wrong."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, TimeoutError, WebSocketRoute, expect

from .accessible import assert_accessible
from .lab import Lab, cluster_of, command, open_lab, until
from .looks import dark
from .notebook import Notebook, write_notebook
from .sidebar import Sidebar

SMALL = {
    "title": "Small",
    "groups": [{"workers": 1, "minimum": 0, "maximum": 3, "memory": "600 MiB"}],
    "price": {"cpu_hour": 36.0, "source": "tests"},
}
SLOW = """
import time
import jupyter_mlops as mlops
def crawl(item):
    print("item", item)
    for _ in range(6000):  # until it is cancelled
        time.sleep(0.1)
run = mlops.run(crawl, 1, cluster="bench", detach=True, name="crawl")
"""


@pytest.fixture(scope="module")
def lab(lab: Lab) -> Lab:
    lab.api("profiles/small", "PUT", SMALL)
    write_notebook(lab.work, "slow.ipynb", [SLOW, ""])
    cluster_of(lab, "small", "bench")
    return lab


@pytest.fixture
def sidebar(page: Page, lab: Lab) -> Iterator[Sidebar]:
    open_lab(page, lab)
    yield Sidebar(page).open()


def test_start_and_stop_with_the_keyboard_alone(page: Page, sidebar: Sidebar) -> None:
    sidebar.new.focus()
    page.keyboard.press("Enter")
    expect(sidebar.menu_item("Small")).to_be_visible()
    active = page.locator(".lm-Menu-item.lm-mod-active")
    for _ in range(page.locator(".lm-Menu [role=menuitem]").count()):
        words = active.inner_text()
        if words.startswith("Small"):
            break
        page.keyboard.press("ArrowDown")
        expect(active).not_to_have_text(words, use_inner_text=True)
    page.keyboard.press("Enter")
    card = sidebar.ready("small", 1)
    expect(sidebar.new).to_be_focused()

    stop = card.get_by_role("button", name="Stop small")
    for _ in range(20):
        if stop.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(stop).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Nothing is running on it")
    expect(page.locator(".jp-Dialog .jp-mod-accept")).to_be_focused()
    page.keyboard.press("Enter")
    expect(sidebar.card("small")).to_have_count(0)
    expect(sidebar.ended("small")).to_contain_text("stopped by you")


def test_a_run_is_cancelled_and_run_again(page: Page, lab: Lab) -> None:
    open_lab(page, lab, "slow.ipynb")
    sidebar = Sidebar(page).open()
    Notebook(page).run(0)
    live = sidebar.run("crawl", "running")
    expect(live).to_have_count(1)
    expect(live.get_by_role("progressbar")).to_be_visible()
    card = sidebar.card("bench")
    expect(card.locator("[data-mlops=workers]")).to_contain_text("1 busy")

    card.get_by_role("button", name="Stop bench").click()
    expect(page.locator("[data-mlops=stop-dialog]")).to_contain_text("the run “crawl”")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()

    live.get_by_role("button", name="Cancel crawl").click()
    expect(sidebar.run("crawl", "cancelled")).to_have_count(1)
    # The code has stopped, not only the waiting for it: its worker is free.
    expect(card.locator("[data-mlops=workers]")).to_have_text("1 worker")

    sidebar.run("crawl", "cancelled").get_by_role("button", name="Run crawl again").click()
    again = sidebar.run("crawl", "running")
    expect(again).to_have_count(1)
    again.get_by_role("button", name="crawl").first.click()
    details = again.locator("[data-mlops=run-details]")
    expect(details.locator("[data-mlops=prints]")).to_contain_text("item 1")
    expect(details).to_contain_text("bench")
    again.get_by_role("button", name="Cancel crawl").click()
    expect(sidebar.run("crawl", "cancelled")).to_have_count(2)


def test_use_in_this_notebook(page: Page, lab: Lab) -> None:
    open_lab(page, lab, "slow.ipynb")
    card = Sidebar(page).open().ready("bench", 1)
    card.get_by_role("button", name="use ▸").click()
    cells = Notebook(page).cells
    code = cells.filter(has_text="mlcluster select bench")
    expect(code).to_have_count(1)
    expect(code.locator(".jp-Cell-outputArea")).to_contain_text("Cells run on 'bench'")


def test_details(page: Page, sidebar: Sidebar) -> None:
    sidebar.card("bench").locator("[data-mlops=details]").click()
    row = page.locator("[data-mlops=table-row]")
    expect(row).to_have_count(1)
    expect(row.locator("[data-column=phase]")).to_have_text("idle")
    expect(page.get_by_role("columnheader", name="Worker")).to_have_attribute("aria-sort", "ascending")

    tab = page.get_by_role("tab", name="Workers", exact=True)
    tab.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Timeline", exact=True)).to_be_focused()
    expect(page.locator("[data-mlops=part-timeline] canvas")).to_be_visible()
    page.get_by_role("tab", name="Events", exact=True).click()
    expect(page.locator("[data-mlops=part-events]")).to_contain_text("The cluster started")
    page.get_by_role("tab", name="Logs", exact=True).click()
    expect(page.locator("[data-mlops=log]")).to_contain_text("cheduler")
    page.locator("[data-mlops=log-of]").select_option(index=1)
    expect(page.locator("[data-mlops=log]")).to_contain_text(re.compile("worker", re.IGNORECASE))
    page.get_by_role("tab", name="Cost", exact=True).click()
    expect(page.locator("[data-mlops=receipt-sheet]")).to_contain_text("tests")
    for part in ("Workers", "Timeline", "Events", "Logs", "Cost"):
        page.get_by_role("tab", name=part, exact=True).click()
        expect(page.locator(f"[data-mlops=part-{part.lower()}]")).to_be_visible()
        assert_accessible(page, ".jp-mlops-details")


def test_dasks_dashboard_behind_the_login(page: Page, sidebar: Sidebar) -> None:
    sidebar.card("bench").locator("[data-mlops=more-actions]").click()
    sidebar.menu_item("Dask’s Dashboard").click()
    frame = page.frame_locator("iframe[src*='jupyter-mlops/clusters/bench.local'][src$='/dashboard/status']")
    expect(frame.get_by_text("Processing", exact=True)).to_be_visible()
    origin = frame.locator("body").evaluate("""() => {
        try { return document.cookie || 'no cookie'; } catch (error) { return error.name; }
    }""")
    assert origin == "SecurityError", "its scripts have an origin of their own"


def test_plots_as_panes(page: Page, lab: Lab) -> None:
    open_lab(page, lab, "slow.ipynb")
    card = Sidebar(page).open().ready("bench", 1)
    card.locator("[data-mlops=more-actions]").click()
    Sidebar(page).menu_item("Plots Beside the Notebook").click()
    for plot in ("task-stream", "progress", "workers-memory"):
        frame = page.frame_locator(f"iframe[src*='/bench.local'][src$='/dashboard/individual-{plot}']")
        expect(frame.locator(".bk-Figure").first).to_be_visible()
    expect(Notebook(page).cells.first).to_be_visible()

    command(page, "jupyter-mlops:cluster-plot", {"cluster": "bench", "plot": "individual-cpu"})
    frame = page.frame_locator("iframe[src*='/bench.local'][src$='/dashboard/individual-cpu']")
    expect(frame.locator(".bk-Figure").first).to_be_visible()


def test_the_lines_that_connect_can_be_dragged_into_a_cell(page: Page, lab: Lab) -> None:
    open_lab(page, lab, "slow.ipynb")
    sidebar = Sidebar(page).open()
    sidebar.ready("bench", 1)
    cell = Notebook(page).cells.nth(1)
    sidebar.card("bench").locator("[data-mlops=details]").drag_to(cell.locator(".cm-content"))
    expect(cell).to_contain_text('cluster = mlops.cluster("bench")')


def test_a_start_that_fails_says_why(page: Page, lab: Lab, sidebar: Sidebar) -> None:
    command(page, "jupyter-mlops:cluster-start", {"profile": "smal"})
    failed = sidebar.clusters.locator("[data-mlops=cluster][data-phase=failed]")
    expect(failed).to_contain_text("small")  # the near name
    failed.get_by_role("button", name="Dismiss").click()
    expect(failed).to_have_count(0)

    command(page, "jupyter-mlops:cluster-start", {"profile": "small", "name": "bench"})
    expect(failed).to_contain_text("bench")
    failed.get_by_role("button", name="Dismiss").click()


def test_server_gone_and_back(page: Page, lab: Lab, sidebar: Sidebar) -> None:
    card = sidebar.ready("bench", 1)
    lost = page.get_by_role("dialog", name="Server Connection Error")  # JupyterLab's own
    page.add_locator_handler(lost, lambda: page.keyboard.press("Escape"))
    lab.kill()
    expect(sidebar.gone).to_contain_text("doesn’t answer")
    expect(card).to_be_visible()
    expect(page.locator("[data-mlops=status]")).to_contain_text("server doesn’t answer")
    lab.start()
    with contextlib.suppress(TimeoutError):  # it may have tried again by itself, and be back
        sidebar.gone.get_by_role("button", name="Try again").click(timeout=1000)
    expect(sidebar.gone).to_have_count(0)
    sidebar.ready("bench", 1)
    expect(page.locator("[data-mlops=status]")).to_contain_text("/h")


def test_status_bar_launcher_and_palette(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    page.locator("[data-mlops=status]").click()
    sidebar = Sidebar(page)
    expect(sidebar.root).to_be_visible()

    page.locator(".jp-LauncherCard", has_text="Dask Cluster").click()
    expect(sidebar.menu_item("Small")).to_be_visible()
    page.keyboard.press("Escape")

    command(page, "apputils:activate-command-palette")
    palette = page.locator(".lm-CommandPalette-input")
    palette.fill("ML Ops")
    for label in ("Start a Cluster…", "Scale a Cluster…", "Stop a Cluster…", "Cancel a Run…"):
        expect(page.locator(".lm-CommandPalette-itemLabel").filter(has_text=label).first).to_be_visible()
    page.keyboard.press("Escape")


def test_a_price_set_in_labs_settings_is_the_next_clusters(page: Page, lab: Lab, sidebar: Sidebar) -> None:
    command(page, "jupyter-mlops:settings-open")
    page.locator("input[id$=_cpuHour]").fill("2.5")
    page.locator("input[id$=_currency]").fill("EUR")
    until(lambda: lab.api("settings")["price"]["currency"] == "EUR" and lab.api("settings")["price"]["cpu_hour"] == 2.5)
    sidebar.start("This machine, gently")
    card = sidebar.ready("gentle", 1)
    expect(card.locator("[data-mlops=cost]")).to_contain_text("€2.50/h")
    expect(card.locator("[data-mlops=cost]")).to_have_attribute("title", re.compile("your settings"))
    sidebar.stop("gentle")


def test_a_profile_made_in_the_form_with_the_keyboard_alone(page: Page, lab: Lab, sidebar: Sidebar) -> None:
    form = page.locator("[data-mlops=profile-editor]")
    sidebar.new.click()
    sidebar.menu_item("New profile…").click()
    expect(form.locator("[data-mlops=field-name]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    expect(sidebar.new).to_be_focused()

    # As at 200 % zoom; with two groups the fields need more room than there is.
    page.set_viewport_size({"width": 720, "height": 450})
    sidebar.new.click()
    sidebar.menu_item("New profile…").click()
    expect(form.locator("[data-mlops=field-name]")).to_be_focused()
    page.keyboard.type("mine")
    page.keyboard.press("Tab")
    page.keyboard.type("Mine alone")
    form.locator("[data-mlops=group-add]").press("Enter")
    expect(form.locator("[data-mlops=group-fields]")).to_have_count(2)
    save = form.locator("[data-mlops=profile-save]")
    expect(save).to_be_in_viewport(ratio=1)
    memory = form.locator("[data-mlops=field-group-memory]").last
    memory.fill("2")
    expect(form.locator("[data-mlops=remark]")).to_contain_text("has no unit")
    wrong = form.locator("[data-mlops=wrong]")
    expect(wrong).to_contain_text("Memory each of group-2")
    expect(save).to_be_in_viewport(ratio=1)
    save.press("Enter")  # refused: the keyboard goes to the field
    expect(memory).to_be_focused()
    memory.fill("1,5 GiB")
    expect(wrong).to_have_count(0)
    assert_accessible(page, ".jp-mlops-dialog")
    page.keyboard.press("Enter")
    expect(form).to_have_count(0)
    saved = next(view["profile"] for view in lab.api("profiles") if view["profile"]["name"] == "mine")
    assert [group["memory"] for group in saved["groups"]] == [2 * 10**9, 1.5 * 1024**3]
    page.set_viewport_size({"width": 1440, "height": 900})
    sidebar.new.click()
    expect(sidebar.menu_item("Mine alone")).to_be_visible()
    page.keyboard.press("Escape")


def test_a_silent_network_is_said_within_seconds(page: Page, lab: Lab) -> None:
    """Nothing is closed, and nothing comes: as when a laptop changes its network."""
    silent = False

    def pass_on(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: None if silent else socket.send(message))
        socket.on_message(lambda message: None if silent else server.send(message))

    page.route_web_socket(re.compile("jupyter-mlops/stream"), pass_on)
    open_lab(page, lab)
    sidebar = Sidebar(page).open()
    card = sidebar.ready("bench", 1)
    silent = True
    expect(sidebar.gone).to_contain_text(re.compile(r"What is shown is how it was at \d"))
    expect(card).to_be_visible()
    silent = False
    expect(sidebar.gone).to_have_count(0)


def test_the_other_side_is_for_the_sidebar_alone(page: Page, sidebar: Sidebar) -> None:
    sidebar.card("bench").locator("[data-mlops=details]").click()
    tab = page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text="bench")
    expect(tab).to_have_count(1)
    page.evaluate(
        """() => {
            const { shell } = window.jupyterapp;
            const sidebar = [...shell.widgets('left')].find(widget => widget.id === 'jupyter-mlops-sidebar');
            shell.move(sidebar, 'right');
        }"""
    )
    expect(page.locator("#jp-right-stack #jupyter-mlops-sidebar")).to_have_count(1)
    expect(tab).to_have_count(1)


def test_narrow_and_named(page: Page, sidebar: Sidebar) -> None:
    card = sidebar.ready("bench", 1)
    for width in (250, 340, 600):
        sidebar.resize(width)
        assert sidebar.overflow() == 0, f"too wide for {width} px"
    expect(card).to_have_attribute("aria-label", "Cluster bench, running")
    expect(card.get_by_role("spinbutton", name="Workers wanted")).to_have_attribute("aria-valuenow", "1")
    expect(card.get_by_role("switch")).not_to_be_checked()
    nameless = sidebar.root.evaluate("""root => [...root.querySelectorAll('button, input, select')]
        .filter(e => e.checkVisibility() && !(e.getAttribute('aria-label') || e.innerText || e.labels?.length))
        .map(e => e.outerHTML)""")
    assert nameless == []
    for night in (False, True):
        dark(page, night)
        assert_accessible(page, ".jp-mlops-sidebar")
