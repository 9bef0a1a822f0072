"""A cluster of ours beside those that others made, each with its workers, cost and reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ..kubernetes.clusters import Namespace
from ..kubernetes.dask_operator import crds, operator
from ..kubernetes.foreign import make_kubecluster, release, worker_group
from .lab import Lab, open_lab, opened
from .notebook import Notebook, write_notebook
from .place import Place
from .sidebar import Sidebar

Take = Callable[[str], Path]

pytest.importorskip("dask_kubernetes")


@pytest.fixture
def others(pods_namespace: Namespace, tmp_path: Path) -> Iterator[Future[None]]:
    """One of `KubeCluster`, which takes a while, and Deployments applied with kubectl."""
    with crds(pods_namespace.kube), operator(pods_namespace.kube, pods_namespace.name, tmp_path):
        pods_namespace.kube.apply(*release(pods_namespace, "survey", 1))
        with ThreadPoolExecutor(1) as beside:
            made = beside.submit(make_kubecluster, pods_namespace, "theirs", 1)
            yield made


@pytest.fixture
def lab(pods: Place, others: Future[None], tmp_path: Path, lab_port: int) -> Iterator[Lab]:
    with opened(tmp_path / "lab", pods.environment, lab_port) as lab:
        write_notebook(lab.work, "theirs.ipynb", ["%load_ext jupyter_mlops", "%%mlrun --cluster theirs\nprint(6 * 7)"])
        pods.save(lab, "mine", "Mine", {"name": "default", "workers": 1, "maximum": 4})
        yield lab


def test_three_makers_side_by_side(
    page: Page, lab: Lab, others: Future[None], pods_namespace: Namespace, picture: Take
) -> None:
    open_lab(page, lab, "theirs.ipynb")
    sidebar = Sidebar(page).open()
    sidebar.resize(340)
    sidebar.start("Mine")
    mine = sidebar.made_of("mine")
    others.result()
    pods_namespace.kube.apply(worker_group(pods_namespace, "theirs", "huge", "900"))
    theirs, survey = sidebar.card("theirs"), sidebar.ready("survey", 1)
    expect(theirs.locator("[data-mlops=place]")).to_have_text("Kubernetes · KubeCluster")
    expect(survey.locator("[data-mlops=place]")).to_have_text("Kubernetes · kubectl")
    expect(theirs.locator("[data-mlops=workers]")).to_have_text("1 of 2 workers, 1 pending")
    expect(theirs.locator("[data-mlops=problem]")).to_contain_text("No node has 900 CPUs free")
    for card in (theirs, survey):
        expect(card.locator("[data-mlops=cost]")).to_contain_text("$")
        expect(card.locator("[data-mlops=auto]")).to_have_count(0)
    sidebar.ready(mine, 1)
    assert sidebar.overflow() == 0

    notebook = Notebook(page)
    notebook.run(0)
    expect(notebook.run(1)).to_contain_text("42")
    expect(sidebar.run("theirs [2]", "done")).to_be_visible()

    theirs.locator("[data-group=default] [data-mlops=more]").click()
    expect(theirs.locator("[data-mlops=workers]")).to_have_text("2 of 3 workers, 1 pending")
    theirs.locator("[data-mlops=details]").click()
    rows = page.locator("[data-mlops=table-row]")
    expect(rows.filter(has_text="huge-")).to_contain_text("No node has 900 CPUs free")
    expect(rows.filter(has_text="default-")).to_have_count(2)
    picture("others")
    page.get_by_role("tab", name="Events", exact=True).click()
    expect(page.locator("[data-mlops=event]").first).to_be_visible()

    sidebar.card("survey").get_by_role("button", name="Stop survey").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("[data-mlops=others-warning]")).to_contain_text("It was made with kubectl, not from here")
    picture("others-stop")
    dialog.get_by_role("button", name="Stop").click()
    expect(sidebar.card("survey")).to_have_count(0)
    for name in ("theirs", mine):
        sidebar.stop(name)
