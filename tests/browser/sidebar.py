"""The sidebar as its users know it: cards, runs, and what can be clicked on them."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect


class Sidebar:
    """The ML Ops panel of a page with JupyterLab in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.get_by_role("region", name="ML Ops")
        #: What stands there before the first cluster.
        self.empty = self.root.locator("[data-mlops=empty]")
        self.new = self.root.locator(".jp-mlops-header [data-mlops=new]")
        self.gone = self.root.locator("[data-mlops=gone]")
        self.clusters = self.root.locator("[data-mlops=clusters]")
        self.runs = self.root.locator("[data-mlops=runs]")
        self.models = self.root.locator("[data-mlops=models]")
        self.services = self.root.locator("[data-mlops=services]")
        self.schedules = self.root.locator("[data-mlops=schedules]")

    def open(self) -> Sidebar:
        """Show it by a click on its icon at the side; wait until it knows its clusters."""
        if not self.root.is_visible():
            self.page.get_by_role("tab", name="ML Ops").first.click()
        expect(self.new).to_be_enabled()
        return self

    def start(self, profile: str) -> None:
        """The two clicks: New, and the profile of that title."""
        self.new.click()
        self.menu_item(profile).click()

    def menu_item(self, label: str) -> Locator:
        """An item of the open menu."""
        return self.page.get_by_role("menuitem").filter(has=self.page.get_by_text(label, exact=True))

    def card(self, name: str, phase: str | None = None) -> Locator:
        """A live cluster's card."""
        state = f"[data-phase={phase}]" if phase else ""
        return self.clusters.locator(f"[data-mlops=cluster][data-name='{name}']{state}")

    def made_of(self, profile: str) -> str:
        """The name of the one cluster that was made of the profile of that name: the profile's, or that and more."""
        card = self.clusters.locator(f"[data-mlops=cluster][data-name^='{profile}']")
        expect(card).to_have_count(1)
        return str(card.get_attribute("data-name"))

    def ready(self, name: str, workers: int) -> Locator:
        """The card once that many workers are there and nothing of them is on its way."""
        card = self.card(name, "running")
        words = f"{workers} worker{'' if workers == 1 else 's'}"
        expect(card.locator("[data-mlops=workers]")).to_have_text(re.compile(rf"^{words}(, \d+ busy)?$"))
        return card

    def stop(self, name: str) -> None:
        """The two clicks that stop a cluster."""
        self.card(name).get_by_role("button", name=f"Stop {name}").click()
        self.page.get_by_role("dialog").get_by_role("button", name="Stop").click()
        expect(self.card(name)).to_have_count(0)

    def ended(self, name: str) -> Locator:
        """An ended cluster's line, unfolded."""
        fold = self.clusters.locator("[data-mlops=ended]")
        expect(fold).to_be_visible()
        if fold.get_attribute("open") is None:
            fold.locator("summary").click()
        return fold.locator(f"[data-mlops=ended-cluster][data-name='{name}']")

    def run(self, name: str, phase: str | None = None) -> Locator:
        """The lines of the runs of that name, the newest first."""
        state = f"[data-phase={phase}]" if phase else ""
        return self.runs.locator(f"[data-mlops=run][data-name='{name}']{state}")

    def overflow(self) -> int:
        """Pixels by which anything in it is wider than it."""
        return int(
            self.root.evaluate("""root => {
            const right = root.getBoundingClientRect().right;
            const seen = element => element.checkVisibility() && !element.closest('.jp-mlops-hidden');
            const rights = [...root.querySelectorAll('*')].filter(seen).map(e => e.getBoundingClientRect().right);
            const scrolled = [...root.querySelectorAll('.jp-mlops-body')].map(e => e.scrollWidth - e.clientWidth);
            return Math.max(0, ...rights.map(r => Math.floor(r - right)), ...scrolled);
        }""")
        )

    def resize(self, width: int) -> None:
        """Make it that wide."""
        self.page.evaluate(
            """width => {
                const split = window.jupyterapp.shell._hsplitPanel;
                const rest = split.node.clientWidth - width;
                split.setRelativeSizes([width, rest, 0]);
            }""",
            width,
        )
        expect(self.root).to_have_css("width", re.compile(rf"^({width - 2}|{width - 1}|{width})[.p]"))
