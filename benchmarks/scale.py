"""A thousand workers that change twice a second each: what it costs the server and the browser that show them.

The controller is simulated, in a process of its own; the wire, the server, the stream and the browser are real.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from playwright.sync_api import Page

from tests.browser.lab import Lab, chromium, open_lab
from tests.browser.sidebar import Sidebar

from .measure import Result, bounded

SIMULATED = Path(__file__).parent / "simulated"
WORKERS = 1000

#: Changes a second of each worker.
RATE = 2

#: Seconds over which loads are taken.
SPAN = 20

#: Changes whose way to the screen is timed.
CHANGES = 10

#: Resolves with the time at which a row has been drawn.
DRAWN = """name => new Promise(resolve => {
    const look = () => {
        if (document.querySelector(`[data-mlops=table-row][data-name="${name}"]`)) {
            watch.disconnect();
            requestAnimationFrame(() => resolve((performance.timeOrigin + performance.now()) / 1000));
        }
    };
    const watch = new MutationObserver(look);
    watch.observe(document.body, { childList: true, subtree: true, attributes: true });
    look();
})"""


def run() -> Iterator[Result]:
    """The loads of the server and of the browser's main thread, and a change's way to the screen."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-bench-lab-"))
    environment = {
        "PYTHONPATH": str(SIMULATED),
        "JUPYTER_MLOPS_SIMULATED": str(WORKERS),
        "JUPYTER_MLOPS_SIMULATED_RATE": str(RATE),
    }
    lab = Lab(folder, environment)
    lab.start()
    try:
        with chromium(folder / "chromium") as browser:
            page = browser.new_page()
            show_workers(page, lab)
            server, main_thread = loads(page, lab)
            yield bounded("1,000 workers at 2 changes a second: server", "of a core", server, 0.25)
            yield bounded("1,000 workers: browser's main thread busy", "of the time", main_thread, 0.20)
            ways = [way_to_the_screen(page, lab, number) for number in range(1, CHANGES + 1)]
            note = f"the slowest of {CHANGES}; their median is {statistics.median(ways):.2f} s"
            yield bounded("1,000 workers: a change on screen", "s", max(ways), 1.0, note)
    finally:
        lab.close()
        shutil.rmtree(folder, ignore_errors=True)


def show_workers(page: Page, lab: Lab) -> None:
    """Open the sidebar, and the details with the newest worker first."""
    open_lab(page, lab)
    sidebar = Sidebar(page).open()
    sidebar.card("simulated", "running").locator("[data-mlops=details]").click()
    since = page.locator("[data-mlops=sort-since]")
    since.click()
    since.click()
    page.locator(f"[data-mlops=table-row][data-name='default-{WORKERS}']").wait_for()


def loads(page: Page, lab: Lab) -> tuple[float, float]:
    """The server's share of a core and the share of time in which the page's main thread is busy."""
    assert lab.process is not None
    server, devtools = psutil.Process(lab.process.pid), page.context.new_cdp_session(page)
    devtools.send("Performance.enable")

    def spent() -> tuple[float, float, float]:
        metrics = {each["name"]: each["value"] for each in devtools.send("Performance.getMetrics")["metrics"]}
        times = server.cpu_times()
        return time.monotonic(), times.user + times.system, metrics["TaskDuration"]

    page.wait_for_timeout(5000)  # what opening the page began is over
    began, server_before, page_before = spent()
    page.wait_for_timeout(SPAN * 1000)
    ended, server_after, page_after = spent()
    return (server_after - server_before) / (ended - began), (page_after - page_before) / (ended - began)


def way_to_the_screen(page: Page, lab: Lab, number: int) -> float:
    """Seconds from a new worker, at the place, to its row being drawn."""
    name = f"default-{WORKERS + number}"
    page.evaluate(f"window.drawn = ({DRAWN})('{name}'); null")
    lab.api("clusters/simulated", "PATCH", {"workers": WORKERS + number})
    drawn = float(page.evaluate("window.drawn"))
    made = next(worker["since"] for worker in lab.api("clusters/simulated/workers") if worker["name"] == name)
    return drawn - float(made)
