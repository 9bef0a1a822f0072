"""Fixtures: a browser, a JupyterLab per module, a page per test, and a picture when a test fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from ..kubernetes.clusters import Namespace
from ..kubernetes.fixtures import free_namespace
from ..kubernetes.kube import Kube
from .lab import PATIENCE, Lab, chromium, free_port, opened
from .place import Place, in_pods

SCREENSHOTS = Path(__file__).parent / "screenshots"


@pytest.fixture(scope="session")
def lab_port() -> int:
    """The port of one JupyterLab after the other: to the browser they are one, whose code it has compiled."""
    return free_port()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, lab_port: int) -> Iterator[Lab]:
    """A running JupyterLab over a copy of the notebooks; a module's ENVIRONMENT is the server's too."""
    with opened(tmp_path_factory.mktemp("lab"), getattr(request.module, "ENVIRONMENT", None), lab_port) as lab:
        yield lab


@pytest.fixture(scope="module")
def pods_namespace(module_kube: Kube) -> Iterator[Namespace]:
    """A namespace for the clusters of a module; skipped where there is no Kubernetes."""
    name = free_namespace(module_kube)
    yield Namespace(module_kube, name)
    module_kube.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def pods(pods_namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Pods as a place."""
    return in_pods(pods_namespace, tmp_path_factory.mktemp("pods"))


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What browsers keep from one file to the next: compiled code."""
    return tmp_path_factory.mktemp("chromium")


@pytest.fixture(scope="package")
def browser(profile: Path) -> Iterator[BrowserContext]:
    """One for all tests of this folder: to start and end one takes 2 s of CPU. What it could not get is printed.

    No longer than for these: Playwright has a loop of asyncio run in this thread, beside which none can be.
    """
    with chromium(profile) as browser:
        browser.set_default_timeout(PATIENCE * 1000)
        browser.on("requestfailed", lambda lost: print("Request failed:", lost.url, lost.failure))
        yield browser


@pytest.fixture
def jp_asyncio_loop() -> None:
    """No loop of pytest-jupyter's: Playwright runs its own in this thread."""


@pytest.fixture
def jp_server_cleanup() -> None:
    """No server in this process that could be cleaned up."""


@pytest.fixture
def page(browser: BrowserContext, lab_port: int, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A new page of a browser that remembers nothing; what it looked like is kept when the test fails."""
    empty, failures = browser.pages[0], request.session.testsfailed
    yield browser.new_page()
    left = [page for page in browser.pages if page != empty]
    if request.session.testsfailed > failures:
        SCREENSHOTS.mkdir(exist_ok=True)
        for number, page in enumerate(left):
            page.screenshot(path=SCREENSHOTS / f"failed-{request.node.name}-{number}.png")
    for page in left:
        page.close()
    browser.clear_cookies()
    stored = {"origin": f"http://127.0.0.1:{lab_port}", "storageTypes": "local_storage,indexeddb,service_workers"}
    browser.new_cdp_session(empty).send("Storage.clearDataForOrigin", stored)


@pytest.fixture
def picture(page: Page) -> Callable[[str], Path]:
    """Take a screenshot of that name."""

    def take(name: str) -> Path:
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path)
        return path

    return take
