"""Models in the sidebar: a version is saved in Python, seen, promoted against its gates, deployed and tried."""

from __future__ import annotations

import re
import subprocess
import sys

from playwright.sync_api import Locator, Page, expect

from .accessible import assert_accessible
from .lab import Lab, open_lab
from .sidebar import Sidebar

ENVIRONMENT = {"JUPYTER_MLOPS_TRACKING_URI": "off"}

#: The first is right, the second isn't.
SAVE = """
import numpy as np
import jupyter_mlops as mlops
valid = (np.ones((20, 1)), np.full(20, 2.0))
for value in (2.0, 2.5):
    mlops.save_model(lambda X, value=value: np.full(len(X), value), "ones", valid=valid)
ones = mlops.model("ones")
ones.set_gates(metrics={"rmse": {"most": 0.1}})
ones.promote(1)
"""


def test_a_version_is_seen_promoted_with_a_reason_and_served(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    sidebar = Sidebar(page).open()
    expect(sidebar.models).to_contain_text("mlops.save_model(")
    subprocess.run([sys.executable, "-c", SAVE], env=lab.environment, cwd=lab.folder, check=True)
    line = sidebar.models.locator("[data-mlops=model][data-name=ones]")
    expect(line.locator("[data-mlops=model-open]")).to_have_text("ones@1")  # told by the stream
    expect(line.locator("[data-mlops=model-info]")).to_contain_text("rmse 0")

    line.locator("[data-mlops=model-open]").click()
    details = page.locator(".jp-mlops-details:has([data-mlops=model-summary])")
    expect(details.locator("[data-champion=true]")).to_contain_text("ones@1")
    details.locator("[data-mlops=verify]").click()
    expect(details.locator("[data-mlops=result]").filter(has_text="trail")).to_contain_text("each follows")
    assert_accessible(page, ".jp-mlops-details:has([data-mlops=model-summary])")

    details.locator("[data-number='2'] [data-mlops=promote]").click()
    dialog = page.locator("[data-mlops=promote-dialog]")
    expect(dialog.locator("[data-mlops=promote-why]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.locator("[data-mlops=result]")).to_contain_text("rmse 0.5")
    expect(dialog.locator("[data-mlops=promote-now]")).to_have_attribute("aria-disabled", "true")
    assert_accessible(page, ".jp-mlops-dialog")
    page.keyboard.type("the first is wrong")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(details.locator("[data-champion=true]")).to_contain_text("ones@2")
    trail = details.locator("[data-mlops=trail-entry]").first
    expect(trail).to_contain_text("sidebar")
    expect(trail).to_contain_text("the first is wrong")
    expect(line.locator("[data-mlops=model-failed]")).to_have_text("@2 failed rmse")

    details.locator("[data-number='2'] [data-mlops=deploy]").click()  # the second of two clicks
    service = sidebar.services.locator("[data-mlops=service][data-name=ones]")
    expect(service).to_have_attribute("data-phase", "ready")
    expect(service.locator("[data-mlops=service-open]")).to_have_text("ones@2")
    expect(service.locator("[data-mlops=service-address]")).to_contain_text("127.0.0.1:")
    assert_accessible(page, ".jp-mlops-sidebar")
    service.locator("[data-mlops=service-try]").click()
    dialog = page.locator("[data-mlops=try-dialog]")
    expect(dialog.locator("[data-mlops=try-rows]")).to_have_value(re.compile(r"1"))
    dialog.locator("[data-mlops=try-now]").click()
    answer = dialog.locator("[data-mlops=try-answer]")
    expect(answer).to_contain_text("2.5")
    dialog.locator("[data-mlops=try-rows]").fill('[["much"]]')
    dialog.locator("[data-mlops=try-now]").click()
    expect(answer).to_contain_text("must be a number")
    assert_accessible(page, ".jp-mlops-dialog")
    page.keyboard.press("Escape")
    service.locator("[data-mlops=service-open]").click()
    watch = page.locator("[data-mlops=watch]")
    expect(watch.locator("[data-mlops=watch-feature]")).to_have_count(2)  # what was tried is counted
    expect(watch).to_contain_text("are compared with 20")
    expect(page.locator("[data-mlops=chart-rate] canvas")).to_be_visible()
    assert_accessible(page, ".jp-mlops-details:has([data-mlops=watch])")
    line.locator("[data-mlops=model-open]").click()

    _deploy_as(page, details, "1", "As a canary")
    candidate = service.locator("[data-mlops=candidate]")
    expect(candidate.locator("[data-mlops=split]")).to_have_attribute("aria-label", "ones@2 answers 95%, ones@1 5%")
    assert_accessible(page, ".jp-mlops-sidebar")
    candidate.locator("[data-mlops=service-compare]").click()
    compare = page.locator("[data-mlops=compare]")
    expect(compare.locator("[data-mlops=comparison]").first).to_be_visible()
    assert_accessible(page, ".jp-mlops-watch-dialog")
    for share in ("30", "20"):  # the second is of what the first has made
        compare.locator("[data-mlops=split-share]").fill(share)
        compare.locator("[data-mlops=split-set]").click()
        expect(candidate.locator("[data-mlops=split]")).to_have_attribute("data-share", f"0.{share[0]}")
    expect(compare.locator("[data-mlops=split-resume]")).to_be_visible()  # who sets a share stops it
    page.keyboard.press("Escape")  # from the button, which has kept the keyboard
    expect(compare).to_have_count(0)
    candidate.locator("[data-mlops=service-share]").click()
    dialog = page.locator("[data-mlops=share-dialog]")
    expect(dialog.locator("[data-mlops=share-percent]")).to_be_focused()
    assert_accessible(page, ".jp-mlops-dialog")
    page.keyboard.press("Control+a")
    page.keyboard.type("40")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(candidate.locator("[data-mlops=split]")).to_have_attribute("data-share", "0.4")
    _decide(page, service, "service-roll-back", "too early")
    expect(candidate).to_have_attribute("data-phase", "back")  # told until something else is deployed
    expect(candidate).to_contain_text("taken back from 40")
    expect(service.locator("[data-mlops=service-open]")).to_have_text("ones@2")

    _deploy_as(page, details, "1", "As a canary")
    expect(candidate).to_have_attribute("data-phase", "trying")
    _decide(page, service, "service-promote", "it is right")
    expect(service.locator("[data-mlops=service-open]")).to_have_text("ones@1")
    expect(candidate).to_have_count(0)
    _decide(page, service, "service-roll-back", "")
    expect(service.locator("[data-mlops=service-open]")).to_have_text("ones@2")
    expect(details.locator("[data-mlops=trail]")).to_contain_text("it is right")
    service.locator("[data-mlops=service-stop]").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(sidebar.services).to_have_count(0)


def _deploy_as(page: Page, details: Locator, version: str, way: str) -> None:
    """Deploy a version where another one answers, and pick how."""
    details.locator(f"[data-number='{version}'] [data-mlops=deploy]").click()
    dialog = page.get_by_role("dialog")
    picked = dialog.get_by_role("combobox")
    picked.select_option(label=str(dialog.locator("option", has_text=way).text_content()))
    dialog.get_by_role("button", name="Choose").click()


def _decide(page: Page, service: Locator, button: str, why: str) -> None:
    """The two clicks of a decision, with its reason."""
    service.locator(f"[data-mlops={button}]").click()
    dialog = page.locator("[data-mlops=decide-dialog]")
    expect(dialog.locator("[data-mlops=decide-why]")).to_be_focused()
    assert_accessible(page, ".jp-mlops-dialog")
    page.keyboard.type(why)
    dialog.locator("[data-mlops=decide-now]").click()
    expect(dialog).to_have_count(0)
