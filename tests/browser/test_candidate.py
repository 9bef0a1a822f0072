"""A version that is tried beside the one that serves: how that looks, and that one which harms is told of once."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from .accessible import assert_accessible
from .lab import Lab, open_lab
from .looks import dark
from .sidebar import Sidebar

ENVIRONMENT = {"JUPYTER_MLOPS_TRACKING_URI": "off"}

#: The second fails once there is a file. Prints the token of the service.
SERVE = """
import sys
from pathlib import Path
import numpy as np
import jupyter_mlops as mlops
broken = Path(sys.argv[1])
X = np.random.default_rng(0).normal(size=(400, 2))
def first(X):
    return X.sum(axis=1)
def second(X):
    if broken.exists():
        raise RuntimeError("out of order")
    return X.sum(axis=1)
for model in (first, second):
    mlops.save_model(model, "total", valid=(X, X.sum(axis=1)))
service = mlops.deploy("total@1")
mlops.deploy("total@2", canary=0.25)
print(service.token())
"""


@contextmanager
def served(lab: Lab, broken: Path) -> Iterator[tuple[str, str]]:
    """A service that tries another version; its address and a token for it."""
    made = [sys.executable, "-c", SERVE, str(broken)]
    try:
        told = subprocess.run(made, env=lab.environment, cwd=lab.folder, check=True, capture_output=True, text=True)
        (service,) = lab.api("services")
        yield service["address"], told.stdout.split()[-1]
    finally:
        for service in lab.api("services"):
            lab.api(f"services/{service['name']}", "DELETE")


@contextmanager
def asked(address: str, token: str) -> Iterator[None]:
    """Meanwhile, somebody asks the service, again and again."""
    where, over = urlsplit(address), threading.Event()

    def ask() -> None:
        headers, number = {"Authorization": f"Bearer {token}"}, 0
        while not over.wait(0.05):
            number += 1
            connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=30)
            try:
                connection.request("POST", "/predict", json.dumps([[number % 7, number % 3]]), headers)
                connection.getresponse().read()
            finally:
                connection.close()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()


def test_one_that_harms_is_seen_to_go_back_and_told_once(
    page: Page, lab: Lab, picture: Callable[[str], Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    with served(lab, broken) as (address, token):
        open_lab(page, lab)
        _see_it_break(Sidebar(page).open(), picture, broken, address, token)


def _see_it_break(sidebar: Sidebar, picture: Callable[[str], Path], broken: Path, address: str, token: str) -> None:
    page = sidebar.page
    line = sidebar.services.locator("[data-mlops=service][data-name=total]")
    candidate = line.locator("[data-mlops=candidate]")
    expect(candidate).to_have_attribute("data-phase", "trying")

    def look(name: str) -> None:
        for night in (False, True):
            dark(page, night)
            for width in (250, 600):
                sidebar.resize(width)
                assert sidebar.overflow() == 0
                picture(f"{name}-{width}-{'dark' if night else 'light'}")

    with asked(address, token):
        expect(candidate.locator("[data-mlops=candidate-words]")).to_contain_text("undecided")
        look("candidate")
        line.locator("[data-mlops=service-compare]").click()
        compare = page.locator("[data-mlops=compare]")
        expect(compare.locator("[data-name=errors]")).to_have_attribute("data-state", "undecided")
        for night in (False, True):
            dark(page, night)
            picture(f"compare-{'dark' if night else 'light'}")
        broken.touch()
        expect(compare.locator("[data-name=errors]")).to_have_attribute("data-state", "worse")
        picture("compare-back")
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        expect(candidate).to_have_attribute("data-phase", "back")
        expect(candidate.locator("[data-mlops=problem]")).to_contain_text("total@2 was taken back")
        notice = page.locator(".Toastify__toast", has_text="Service total: total@2 was taken back")
        expect(notice).to_have_count(1)
        look("candidate-back")
        assert_accessible(page, ".jp-mlops-sidebar")
        line.locator("[data-mlops=service-compare]").click()
        expect(compare.locator("[data-name=errors]")).to_have_attribute("data-state", "worse")
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        notice.get_by_role("button", name="Compare").click()
        expect(compare.locator("[data-name=errors]")).to_have_attribute("data-state", "worse")
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        expect(notice).to_have_count(0)
