"""A budget and an account in the sidebar: what is used of them, what that means, and the button that raises one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .lab import Lab, cluster_of, open_lab
from .looks import dark
from .sidebar import Sidebar

#: A dollar in ten seconds: what was used is known to the cent once there is no worker any more.
DEAR = {
    "title": "Dear",
    "groups": [{"workers": 1, "minimum": 0, "maximum": 3, "memory": "600 MiB"}],
    "limits": {"budget": 500},
    "price": {"cpu_hour": 360},
}
#: Widths of the sidebar, in pixels.
WIDTHS = (250, 600)


def test_a_budget_is_raised_by_a_click(page: Page, lab: Lab, picture: Callable[[str], Path]) -> None:
    lab.api("profiles/dear", "PUT", DEAR)
    lab.api("accounts", "PUT", {"month": 700})
    cluster_of(lab, "dear", "dear", 1)
    open_lab(page, lab)
    sidebar = Sidebar(page).open()
    card = sidebar.ready("dear", 1)
    expect(card.locator("[data-mlops=budget]")).to_contain_text("of $500.00")
    expect(card.locator("[data-mlops=budget-lasts]")).to_have_text(re.compile(r"lasts until .*\d\d:\d\d"))
    expect(card.locator("[data-mlops=more-money]")).to_have_count(0)
    expect(card.locator("[data-mlops=account]")).to_contain_text("held of $700.00 a month")

    lab.api("clusters/dear", "PATCH", {"workers": 0})
    sidebar.ready("dear", 0)
    used = lab.api("clusters/dear", "GET")["cost"]["amount"]
    lab.api("clusters/dear", "PATCH", {"budget": round(used / 0.935, 4)})
    step = card.locator("[data-mlops=budget-step]")
    expect(step).to_have_text("93% of the budget is used: no worker is added")
    expect(page.locator("[data-mlops=status]")).to_contain_text("budget 93%")
    card.locator("[data-mlops=wanted]").fill("2")
    card.locator("[data-mlops=wanted]").press("Enter")
    expect(card).to_contain_text("no worker is added from 90% on")
    for width in WIDTHS:
        sidebar.resize(width)
        assert sidebar.overflow() <= 0
        for theme in ("light", "dark"):
            dark(page, theme == "dark")
            picture(f"budget-{theme}-{width}")
    dark(page, on=False)

    card.locator("[data-mlops=more-money]").click()
    expect(step).to_have_text("half of the budget is used")
    lab.api("clusters/dear", "PATCH", {"budget": 500})  # what is left now would last two workers for seconds
    expect(step).to_have_count(0)
    card.locator("[data-mlops=wanted]").fill("2")
    card.locator("[data-mlops=wanted]").press("Enter")
    expect(card.locator("[data-mlops=workers]")).to_contain_text("2 workers")
    lab.api("accounts", "PUT", {"month": 50})
    sidebar.start("Dear")
    expect(sidebar.clusters).to_contain_text("1 worker would cost $360.00/h, for which $60.00 have to be held")
    picture("account-refused")
    lab.api("clusters/dear", "DELETE")
