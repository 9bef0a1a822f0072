"""Which tests follow each other in one process, where pytest-xdist runs several. A plugin of `tests/conftest.py`."""

from __future__ import annotations

import pytest

#: What a test asks for that looks at a screen.
SCREENS = {"browser", "page", "lab"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what each test needs and put it into a group; the groups that take long come first.

    Tests on a Kubernetes are one group, since some break it. Tests that look at screens are another: two JupyterLabs
    with their browsers are more than two CPUs have patience for. All others are grouped by file.
    """
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if SCREENS & fixtures:
            item.add_marker("screen")
        if "session_kube" in fixtures:
            item.add_marker("kubernetes")
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=_order)


def _group(item: pytest.Item) -> str:
    if item.get_closest_marker("kubernetes"):
        return "kubernetes"
    return "screens" if item.get_closest_marker("screen") else f"{item.path.parent.name}/{item.path.name}"


def _order(item: pytest.Item) -> int:
    return next(
        (order for order, mark in enumerate(("kubernetes", "screen", "slow")) if item.get_closest_marker(mark)), 3
    )
