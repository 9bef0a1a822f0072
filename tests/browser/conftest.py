"""Fixtures: a JupyterLab per module, a page per test, and a picture when a test fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ..kubernetes.clusters import Namespace
from ..kubernetes.fixtures import free_namespace
from ..kubernetes.kube import Kube
from .lab import PATIENCE, Lab, chromium, opened
from .place import Place, in_pods

SCREENSHOTS = Path(__file__).parent / "screenshots"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A running JupyterLab over a copy of the notebooks; a module's ENVIRONMENT is the server's too."""
    with opened(tmp_path_factory.mktemp("lab"), getattr(request.module, "ENVIRONMENT", None)) as lab:
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def jp_asyncio_loop() -> None:
    """No loop of pytest-jupyter's: Playwright runs its own in this thread."""


@pytest.fixture
def jp_server_cleanup() -> None:
    """No server in this process that could be cleaned up."""


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A new page; what it looked like is kept when the test fails, and what it could not get is printed."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.context.on("requestfailed", lambda lost: print("Request failed:", lost.url, lost.failure))
    failures = request.session.testsfailed
    yield page
    if request.session.testsfailed > failures:
        SCREENSHOTS.mkdir(exist_ok=True)
        for number, left in enumerate(page.context.pages):
            left.screenshot(path=SCREENSHOTS / f"failed-{request.node.name}-{number}.png")
    page.context.close()


@pytest.fixture
def picture(page: Page) -> Callable[[str], Path]:
    """Take a screenshot of that name."""

    def take(name: str) -> Path:
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path)
        return path

    return take
