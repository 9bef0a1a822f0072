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
        group = f"{item.path.parent.name}/{item.path.name}"
        if SCREENS & fixtures:
            item.add_marker("screen")
            group = "screens"
        if "session_kube" in fixtures:
            item.add_marker("kubernetes")
            group = "kubernetes"
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_order)


def _order(item: pytest.Item) -> int:
    return next(
        (order for order, mark in enumerate(("kubernetes", "screen", "slow")) if item.get_closest_marker(mark)), 3
    )
