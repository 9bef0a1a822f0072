"""A place that another package adds, in the sidebar."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from ..places.place import SHED
from .lab import Lab, open_lab
from .sidebar import Sidebar

ENVIRONMENT = {"PYTHONPATH": str(SHED)}


def test_a_cluster_in_a_place_of_another_package(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    sidebar = Sidebar(page).open()
    sidebar.new.click()
    sidebar.menu_item("New profile…").click()
    place = page.locator("[data-mlops=field-place]")
    expect(place.locator("option")).to_have_text(["this machine", "the shed"])
    place.select_option(label="the shed")
    page.locator("[data-mlops=profile-cancel]").click()

    sidebar.start("A corner of the shed")
    name = sidebar.made_of("corner")
    card = sidebar.ready(name, 1)
    expect(card.locator("[data-mlops=place]")).to_have_text("the shed")
    sidebar.stop(name)
    expect(sidebar.ended(name)).to_contain_text("stopped by you")
