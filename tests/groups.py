"""Which tests follow each other in one process, where pytest-xdist runs several. A plugin of `tests/conftest.py`."""

from __future__ import annotations

import pytest

#: What a test asks for that looks at a screen.
SCREENS = {"browser", "page", "lab"}
#: Seconds for a test on Kubernetes: those that must have it to themselves and the others wait for each other's files.
WITH_TURN = 1200


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what each test needs and put it into a group; the groups that take long come first.

    Tests that look at screens are one group: two JupyterLabs with their browsers are more than two CPUs have patience
    for. Those that must have a Kubernetes to themselves are another, and begin at once; those that look at pods on a
    screen come last there, so that neither waits for the other. All others are grouped by file. Those on a Kubernetes
    wait more than they compute: they come among the later ones of those that compute. The rest is from the end of the
    alphabet to its beginning: so those of services, which take minutes, aren't what one process ends with alone.
    """
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if SCREENS & fixtures:
            item.add_marker("screen")
        if "session_kube" in fixtures:
            item.add_marker("kubernetes")
            item.add_marker(pytest.mark.timeout(WITH_TURN))
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    pods = _spread([item for item in items if item.get_closest_marker("kubernetes")], 0.4)
    slow = _spread([item for item in items if item.get_closest_marker("slow")], 0.0)
    others = {group: 1 - place for group, place in _spread(items, 0.0).items()}
    places = {**others, **slow, **pods}
    items.sort(key=lambda item: (_order(item), places.get(_group(item), 0.0)))


def _group(item: pytest.Item) -> str:
    if item.get_closest_marker("screen"):
        return "screens"
    return "alone on kubernetes" if _alone(item) else f"{item.path.parent.name}/{item.path.name}"


def _alone(item: pytest.Item) -> bool:
    module = item.getparent(pytest.Module)
    return bool(item.get_closest_marker("kubernetes")) and getattr(module and module.obj, "ALONE", False)


def _spread(items: list[pytest.Item], start: float) -> dict[str, float]:
    """A place between `start` and 1 for each of their groups, in their order."""
    groups = list(dict.fromkeys(map(_group, items)))
    return {group: start + (1 - start) * index / len(groups) for index, group in enumerate(groups)}


def _order(item: pytest.Item) -> int:
    screen, kubernetes = item.get_closest_marker("screen"), item.get_closest_marker("kubernetes")
    if screen:
        return 2 if kubernetes else 1
    if _alone(item):
        return 0
    return 3 if kubernetes or item.get_closest_marker("slow") else 4
