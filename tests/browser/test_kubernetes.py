"""What only pods have: a way to go until they are ready, and reasons why they don't get there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from jupyter_mlops.places.kubernetes.records.manifests import node_rights

from ..kubernetes.clusters import Namespace
from .lab import Lab, open_lab, opened
from .looks import dark, record, recorded
from .place import Place
from .sidebar import Sidebar

Take = Callable[[str], Path]


@pytest.fixture(scope="module")
def lab(pods: Place, tmp_path_factory: pytest.TempPathFactory, lab_port: int) -> Iterator[Lab]:
    with opened(tmp_path_factory.mktemp("lab"), pods.environment, lab_port) as lab:
        yield lab


@pytest.fixture
def nodes_may_be_read(pods_namespace: Namespace) -> Iterator[None]:
    """What `manifests` gives to controllers, so that they can say how much is free."""
    wide = node_rights(pods_namespace.name, room=True)
    pods_namespace.kube.apply(*wide)
    yield
    pods_namespace.kube.kubectl("delete", "clusterrole,clusterrolebinding", wide[0]["metadata"]["name"])


@pytest.fixture
def new_label(pods_namespace: Namespace) -> Iterator[tuple[str, Callable[[], None]]]:
    """A label that no node has, and what gives it to the node."""
    kube, key = pods_namespace.kube, f"{pods_namespace.name}/disk"
    yield key, lambda: kube.kubectl("label", "node", kube.node, f"{key}=fast") and None
    kube.kubectl("label", "node", kube.node, f"{key}-", check=False)


def test_the_way_of_a_pod_and_why_it_waits(
    page: Page, lab: Lab, pods: Place, picture: Take, nodes_may_be_read: None, new_label: tuple[str, Callable[[], None]]
) -> None:
    key, give_label = new_label
    late = {"spec": {"nodeSelector": {key: "fast"}, **pods.group["options"]["pod"]["spec"]}}
    pods.save(
        lab,
        "reasons",
        "Reasons",
        {"name": "ok", "workers": 1, "maximum": 4},
        {"name": "huge", "workers": 1, "cpus": 900, "options": {}},
        {"name": "late", "workers": 1, "options": {"pod": late}},
    )
    open_lab(page, lab)
    sidebar = Sidebar(page).open()
    sidebar.resize(340)
    sidebar.start("Reasons")
    name = sidebar.made_of("reasons")
    sidebar.card(name).locator("[data-mlops=details]").click()
    record(page, "[data-mlops=table-row][data-name='late-1'] [data-column=phase]")

    card = sidebar.card(name, "running")
    expect(card.locator("[data-mlops=workers]")).to_have_text("1 of 3 workers, 2 pending")
    told = card.locator("[data-mlops=problem]", has_text="No node has 900 CPUs free")
    expect(told).to_contain_text(re.compile(r"(the only node|the roomiest of \d+) has [\d.]+ CPUs? free"))
    expect(told.locator(".jp-mlops-problem-todo")).not_to_be_empty()
    expect(card.locator("[data-mlops=problem]")).to_have_count(2)  # each group's own
    rows = page.locator("[data-mlops=table-row]")
    expect(rows.filter(has_text="huge-1")).to_contain_text("No node has 900 CPUs free")
    expect(rows.filter(has_text="late-1")).to_contain_text("labels")
    assert sidebar.overflow() == 0
    for night in (False, True):
        dark(page, night)
        picture(f"reasons-{'dark' if night else 'light'}")

    give_label()
    expect(card.locator("[data-mlops=workers]")).to_have_text("2 of 3 workers, 1 pending")
    expect(rows.filter(has_text="late-1").locator("[data-column=phase]")).to_have_text("idle")
    # What is over before it is seen isn't there: "requested" often, "starting" where the machine is slow.
    way = [phase for phase in recorded(page) if phase != "requested"]
    assert way in (["pending", "starting", "idle"], ["pending", "idle"])
    expect(rows.filter(has_text="late-1")).not_to_contain_text("labels")

    sidebar.stop(name)
    expect(sidebar.ended(name)).to_contain_text("stopped by you")
    page.get_by_role("tab", name="Logs", exact=True).click()
    page.locator("[data-mlops=log-of]").select_option("late-1")
    expect(page.locator("[data-mlops=log]")).to_contain_text("late-1")
