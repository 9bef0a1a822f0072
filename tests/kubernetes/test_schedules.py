"""Notebooks that a real Kubernetes runs by itself: done, failed, ended in the middle, and no more."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import Unavailable
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Profile
from jupyter_mlops.places import profiles
from jupyter_mlops.places.kubernetes.records.manifests import as_yaml, manifests

from ..runs.cluster import until
from .clusters import PATIENCE, Namespace, small
from .fixtures import free_namespace

#: All need a module, a file and a variable that are brought along.
LOAD = "%%mlrun --step load\nrows = [number * factor() for number in range(settings['many'])]"
ENDS = {
    "goes-on": "import time\nprint('it waits')\nwhile rows:\n    time.sleep(0.1)",
    "good": "print('the sum is', sum(rows))",
    "bad": "raise ValueError(f'{len(rows)} on purpose')",
}

Said = Callable[..., str]


@pytest.fixture
def folder(namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Notebooks of two steps, with what they need beside them, and a profile of one who has the rights that the
    documentation gives, and no others; nothing is scheduled in the end."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    kube, given = namespace.kube, manifests(namespace.name, service_account="ann", nodes=False)
    monkeypatch.setenv("KUBECONFIG", str(kube.login("ann", namespace.name, tmp_path)))
    kube.apply(*given)
    price = Price(cpu_hour=3600.0, source="the test")
    profile = {"place": "kubernetes", "groups": [small(1)], "price": price, "options": namespace.options()}
    profiles.save(Profile(name="night", environment={"FACTOR": "3"}, **profile))
    made = tmp_path / "work"
    made.mkdir()
    (made / "parts.py").write_text("import os\ndef factor():\n    return int(os.environ['FACTOR'])\n")
    (made / "settings.json").write_text('{"many": 5}')
    for name, end in ENDS.items():
        cells = [
            "import json\nfrom parts import factor",
            "with open('settings.json') as file:\n    settings = json.load(file)",
            LOAD,
            f"%%mlrun --step end\n{end}",
        ]
        content = {"cells": [{"cell_type": "code", "source": each} for each in cells]}
        (made / f"{name}.ipynb").write_text(json.dumps(content))
    yield made
    for name in ENDS:
        main(["pipeline", "unschedule", str(made / f"{name}.ipynb")])
    kube.kubectl("delete", "--wait=false", "-f", "-", stdin=as_yaml(given))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What a command prints."""

    def run(*arguments: object) -> str:
        capsys.readouterr()
        main([str(each) for each in arguments])
        written = capsys.readouterr()
        return written.out + written.err

    return run


def test_notebooks_run_by_themselves_until_they_are_to_no_more(folder: Path, namespace: Namespace, said: Said) -> None:
    """One when its minute comes; the others at once, as Kubernetes' own tool has it."""

    def told_of(notebook: Path) -> str:
        return f"{mlops.pipeline(notebook)}\n{said('pipeline', 'log', notebook)}"

    goes_on, good, bad = (folder / f"{name}.ipynb" for name in ENDS)
    mlops.pipeline(good).schedule("1 min", profile="night")
    daily = ("--every", "1 day at 02:00", "--place", "kubernetes", "--profile", "night", "--zone", "Europe/Berlin")
    told = said("pipeline", "schedule", goes_on, *daily)
    where = f"On Kubernetes ({namespace.name}) every 1 day at 02:00 by the clock of Europe/Berlin on clusters of night"
    assert f"{where}; next " in told, told
    mlops.pipeline(bad).schedule("1 week at 02:00", place="kubernetes", profile="night")
    for made in namespace.kube.get("cronjobs", namespace.name):
        if not (name := made["metadata"]["name"]).startswith("good-"):
            namespace.kube.kubectl("create", "job", f"{name}-now", f"--from=cronjob/{name}", "-n", namespace.name)

    until(lambda: "it waits" in said("pipeline", "log", goes_on), PATIENCE, lambda: told_of(goes_on))
    assert "It runs since " in str(mlops.pipeline(goes_on))
    clusters = json.loads(said("list", "--json"))
    assert len([each for each in clusters if each["name"].startswith("goes-on-")]) == 1
    mlops.pipeline(goes_on).schedule(None)
    assert "every" not in str(mlops.pipeline(goes_on))
    until(lambda: not [each for each in _left(namespace) if "goes-on-" in each], PATIENCE)  # its cluster ended, too

    until(lambda: ": done." in str(mlops.pipeline(good)), PATIENCE, lambda: told_of(good))
    until(lambda: "the sum is 30" in said("pipeline", "log", good), PATIENCE)  # of the next one, if that has begun
    assert mlops.pipeline(good).values()["rows"] == [0, 3, 6, 9, 12]
    failed = "failed: It stopped in step end: ValueError: 5 on purpose"
    until(lambda: failed in str(mlops.pipeline(bad)), PATIENCE, lambda: told_of(bad))
    listed = said("pipeline", "list")
    assert str(good) in listed and str(bad) in listed and str(goes_on) not in listed
    over = [each for each in json.loads(said("list", "--all", "--json")) if each["phase"] == "ended"]
    ended = {each["name"].rpartition("-")[0]: each for each in over}
    assert all(ended[name]["cost"]["amount"] > 0 for name in ENDS), ended

    (folder / "settings.json").write_text('{"many": 6}')
    assert "schedule it again to take over what has changed since" in str(mlops.pipeline(good))
    mlops.pipeline(good).schedule("1 day at 02:00", profile="night")
    assert "to take over" not in str(mlops.pipeline(good)) and "every 1 day at 02:00" in str(mlops.pipeline(good))
    for each in (good, bad):
        said("pipeline", "unschedule", each)
    assert "No notebook runs by itself." in said("pipeline", "list")
    assert not _left(namespace)


def test_what_is_in_the_way_of_a_schedule_is_said(
    folder: Path, namespace: Namespace, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, kubeconfig = folder / "good.ipynb", os.environ["KUBECONFIG"]
    monkeypatch.setenv("KUBECONFIG", str(namespace.kube.login("nobody", namespace.name, folder)))
    told = said("pipeline", "schedule", good, "--every", "1 day at 02:00", "--profile", "night")
    assert "good.ipynb isn't scheduled: The service account 'nobody' may not list cronjobs" in told, told
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    assert not _left(namespace) and "every" not in str(mlops.pipeline(good))

    told = said("pipeline", "schedule", good, "--every", "1 day at 02:00", "--profile", "night", "--zone", "No/Where")
    assert "There is no time zone 'No/Where'" in told
    mlops.pipeline(good).schedule("1 day at 02:00", profile="night")
    (made,) = namespace.kube.get("cronjobs", namespace.name)
    name, suspended = made["metadata"]["name"], '{"spec": {"suspend": true}}'
    namespace.kube.kubectl("patch", "cronjob", name, "-n", namespace.name, "-p", suspended)
    assert "next never: somebody has suspended it there" in str(mlops.pipeline(good))
    monkeypatch.setenv("KUBECONFIG", str(folder / "gone"))
    told = str(mlops.pipeline(good))
    assert "every 1 day at 02:00 by the clock of " in told and "How it went last isn't known" in told
    with pytest.raises(Unavailable):
        mlops.pipeline(good).schedule(None)
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    namespace.kube.kubectl("delete", "cronjob", name, "-n", namespace.name)
    assert "every" not in str(mlops.pipeline(good)), "somebody has removed it there"


def test_a_notebook_moves_to_another_namespace(
    folder: Path, namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(namespace.kubeconfig(tmp_path)))  # of one who may do so in both
    other = Namespace(namespace.kube, free_namespace(namespace.kube))
    profiles.save(Profile(name="other", place="kubernetes", groups=[small(1)], options=other.options()))
    pipeline = mlops.pipeline(folder / "good.ipynb")
    for profile, there, gone in (("night", namespace, other), ("other", other, namespace)):
        pipeline.schedule("1 day at 02:00", profile=profile)
        assert f"({there.name}) every 1 day" in str(pipeline) and _left(there) and not _left(gone)
    pipeline.schedule(None)
    assert not _left(other)


def _left(namespace: Namespace) -> list[str]:
    """What is there of schedules and clusters, but for what outlives clusters."""
    return [each for each in namespace.left() if not re.search(r"-(receipt|history)-| jupyter-mlops", each)]
