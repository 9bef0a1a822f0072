"""A pod's way to the screen, beside a thousand others: the real API, controller, tunnel, server, stream and browser."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from jupyter_mlops.client.clusters.handle import Cluster
from tests.browser.lab import Lab, chromium, open_lab
from tests.browser.sidebar import Sidebar

from ..measure import Result, bounded
from .sight import Sight

#: Pods whose way is timed.
CHANGES = 10

#: Resolves with the time at which a row has been drawn in this phase, or one after it.
DRAWN = """name => new Promise(resolve => {
    const look = () => {
        const row = document.querySelector(`[data-mlops=table-row][data-name="${name}"]`);
        if (row && row.querySelector('[data-kind=starting]')) {
            watch.disconnect();
            requestAnimationFrame(() => resolve((performance.timeOrigin + performance.now()) / 1000));
        }
    };
    const watch = new MutationObserver(look);
    watch.observe(document.body, { childList: true, subtree: true, attributes: true, characterData: true });
    look();
})"""


def run(sight: Sight, cluster: Cluster, pods: int, folder: Path) -> Iterator[Result]:
    """From a pod being given a node, as the API tells it, to its row being drawn so."""
    lab = Lab(folder)
    lab.start()
    try:
        with chromium(folder / "chromium") as browser:
            page = browser.new_page()
            show_workers(page, lab, cluster)
            ways = [way(page, sight, cluster, pods + number) for number in range(1, CHANGES + 1)]
    finally:
        lab.close()
    note = f"the slowest of {CHANGES}; their median is {statistics.median(ways):.2f} s"
    yield bounded(f"{pods:,} pods: a pod's event on screen", "s", max(ways), 1.0, note)


def show_workers(page: Page, lab: Lab, cluster: Cluster) -> None:
    """Open the sidebar, and the details with the newest worker first."""
    open_lab(page, lab)
    sidebar = Sidebar(page).open()
    sidebar.card(cluster.name).locator("[data-mlops=details]").click()
    since = page.locator("[data-mlops=sort-since]")
    since.click()
    since.click()
    page.locator("[data-mlops=table-row]").first.wait_for()


def way(page: Page, sight: Sight, cluster: Cluster, pods: int) -> float:
    """Seconds of one more pod."""
    before = set(sight.there)
    cluster.scale(pods)
    sight.until(lambda seen: len(seen.placed) == pods)
    (worker,) = sight.there - before
    return float(page.evaluate(f"({DRAWN})('{worker}')")) - sight.placed[worker]
