"""What Kubernetes is asked for, and told, of notebooks that it runs by itself, without a pod."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import InvalidInput, InvalidSpec, Refused, Unavailable
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.home.schedules import read_schedule
from jupyter_mlops.places import profiles
from jupyter_mlops.places.kubernetes.api.client import Api
from jupyter_mlops.places.kubernetes.schedules import scheduling

from .api import StoringApi

STEP = "%%mlrun --step load\nx = 1"


@pytest.fixture
def notebook(api_of_ann: StoringApi, tmp_path: Path) -> Iterator[Path]:
    profiles.save(Profile(name="night", place="kubernetes", groups=[Group(workers=1)], environment={"KEY": "hidden"}))
    yield _notebook(tmp_path / "night.ipynb")


def _notebook(path: Path) -> Path:
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": STEP}]}))
    return path


def _names(api: StoringApi, kind: str) -> list[str]:
    return sorted(api.objects.get(kind, {}))


def _everything(api: StoringApi) -> list[str]:
    return [f"{kind}/{name}" for kind in api.objects for name in _names(api, kind) if kind != "namespaces"]


def test_a_schedule_is_a_cron_job_that_never_stops_by_itself(notebook: Path, api_of_ann: StoringApi) -> None:
    mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night", zone="Europe/Berlin")
    made = api_of_ann.of("cronjobs", "night-")
    spec, job = made["spec"], made["spec"]["jobTemplate"]["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["suspend"]) == ("0 2 * * *", "Europe/Berlin", False)
    assert spec["concurrencyPolicy"] == "Forbid" and 60 <= spec["startingDeadlineSeconds"] < 100 * 86400
    assert spec["successfulJobsHistoryLimit"] and spec["failedJobsHistoryLimit"] and job["backoffLimit"] == 0
    assert job["activeDeadlineSeconds"] and job["ttlSecondsAfterFinished"] > 7 * 86400
    pod = job["template"]["spec"]
    assert pod["serviceAccountName"] == _names(api_of_ann, "serviceaccounts")[0] and pod["restartPolicy"] == "Never"
    assert "hidden" not in json.dumps(made), "more people may read CronJobs than Secrets"
    mounted = {each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each}
    assert mounted < set(_names(api_of_ann, "secrets"))
    for kind in ("secrets", "serviceaccounts", "roles", "rolebindings"):
        for name in _names(api_of_ann, kind):
            owner = api_of_ann.objects[kind][name]["metadata"]["ownerReferences"]
            assert [each["uid"] for each in owner] == [made["metadata"]["uid"]], name

    before = _everything(api_of_ann)
    mlops.pipeline(notebook).schedule("15 min", profile="night")
    assert api_of_ann.of("cronjobs", "night-")["spec"]["startingDeadlineSeconds"] == 900
    assert len(_everything(api_of_ann)) == len(before), "what pods were made by before is gone"
    mlops.pipeline(notebook).schedule(None)
    assert not _everything(api_of_ann)


def test_those_that_are_due_together_begin_one_after_the_other(
    notebook: Path, api_of_ann: StoringApi, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    others = [_notebook(tmp_path / "other" / f"n{number}.ipynb") for number in range(2)]
    for each in (notebook, *others):
        mlops.pipeline(each).schedule("1 day at 02:00", profile="night", zone="UTC")
    mlops.pipeline(others[0]).schedule("1 day at 03:00", profile="night", zone="UTC")
    delays = []
    for made in api_of_ann.objects["cronjobs"].values():
        volumes = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"]
        build = next(each["secret"]["secretName"] for each in volumes if each["name"] == "spec")
        delays.append(json.loads(api_of_ann.kept(build, "spec.json"))["delay"])
    assert sorted(delays) == [0, 0, 20]


def test_it_runs_in_one_place(notebook: Path, api_of_ann: StoringApi) -> None:
    pipeline = mlops.pipeline(notebook)
    pipeline.schedule("1 week at 02:00")
    pipeline.schedule("1 week at 02:00", place="kubernetes", zone="UTC")
    assert read_schedule(str(notebook)) is None and _names(api_of_ann, "cronjobs")
    api_of_ann.refused = {"DELETE cronjobs"}
    with pytest.raises(Refused):
        pipeline.schedule("1 week at 02:00")
    assert read_schedule(str(notebook)) is None and _names(api_of_ann, "cronjobs"), "there still, and not here"
    api_of_ann.refused = set()
    pipeline.schedule("1 week at 02:00")
    assert read_schedule(str(notebook)) is not None and not _names(api_of_ann, "cronjobs")
    pipeline.schedule(None)
    assert "every" not in str(pipeline).lower()


@pytest.mark.parametrize("kind", ["cronjobs", "POST secrets", "roles", "PATCH cronjobs"])
def test_what_is_refused_leaves_nothing(notebook: Path, api_of_ann: StoringApi, kind: str) -> None:
    api_of_ann.refused = {kind}
    with pytest.raises(Refused, match=r"night\.ipynb isn't scheduled"):
        mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night")
    assert not _everything(api_of_ann)
    assert "every" not in str(mlops.pipeline(notebook)).lower()


def test_what_was_wanted_before_goes_on_where_it_can_t_be_changed(notebook: Path, api_of_ann: StoringApi) -> None:
    mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night", zone="UTC")
    before = api_of_ann.of("cronjobs", "night-")
    api_of_ann.refused = {"PATCH cronjobs"}
    with pytest.raises(Refused):
        mlops.pipeline(notebook).schedule("1 day at 03:00", profile="night", zone="UTC")
    assert api_of_ann.of("cronjobs", "night-") == before and "every 1 day at 02:00" in str(mlops.pipeline(notebook))
    mounted = before["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"]
    assert {each["secret"]["secretName"] for each in mounted if "secret" in each} < set(_names(api_of_ann, "secrets"))


def test_a_run_that_has_no_pod_so_far_keeps_what_it_is_made_by(notebook: Path, api_of_ann: StoringApi) -> None:
    mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night", zone="UTC")
    made = api_of_ann.of("cronjobs", "night-")
    job = {"spec": made["spec"]["jobTemplate"]["spec"], "status": dict[str, Any]()}
    begun = api_of_ann.put("jobs", {**job, "metadata": {"name": "one", "labels": made["metadata"]["labels"]}})
    mounted = {name for name in _names(api_of_ann, "secrets") if not name.endswith("-environment")}
    mlops.pipeline(notebook).schedule("1 day at 03:00", profile="night", zone="UTC")
    assert mounted < set(_names(api_of_ann, "secrets"))
    begun["status"]["conditions"] = [
        {"type": "Complete", "status": "True", "lastTransitionTime": "2026-11-27T02:10:00Z"}
    ]
    mlops.pipeline(notebook).schedule("1 day at 04:00", profile="night", zone="UTC")
    assert not mounted < set(_names(api_of_ann, "secrets"))


def test_rights_of_an_earlier_one_that_are_about_to_go_are_not_taken_over(
    notebook: Path, api_of_ann: StoringApi
) -> None:
    """Kubernetes removes what a CronJob owned at times of its own."""
    kinds = ("serviceaccounts", "roles", "rolebindings")
    mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night", zone="UTC")
    left = {kind: dict(api_of_ann.objects[kind]) for kind in kinds}
    mlops.pipeline(notebook).schedule(None)
    for kind in kinds:
        api_of_ann.objects[kind].update(left[kind])
    for every in ("1 day at 02:00", "1 day at 03:00"):
        mlops.pipeline(notebook).schedule(every, profile="night", zone="UTC")
        made = api_of_ann.of("cronjobs", "night-")
        account = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"]
        for kind in kinds:
            owner = api_of_ann.objects[kind][account]["metadata"]["ownerReferences"]
            assert [each["uid"] for each in owner] == [made["metadata"]["uid"]], kind


def test_variables_that_its_profile_lost_are_gone(notebook: Path, api_of_ann: StoringApi) -> None:
    mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night", zone="UTC")
    other = Profile(name="night", place="kubernetes", groups=[Group(workers=1)], environment={"OTHER": "1"})
    profiles.save(other)
    mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night", zone="UTC")
    (name,) = [each for each in _names(api_of_ann, "secrets") if each.endswith("-environment")]
    assert list(api_of_ann.objects["secrets"][name]["data"]) == ["OTHER"]


def test_what_another_removes_meanwhile_is_said(
    notebook: Path, api_of_ann: StoringApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch = scheduling._patch  # noqa: SLF001 - the moment in which another does something

    async def removed(api: Api, path: str, operations: Sequence[Any]) -> None:
        await patch(api, path, operations)
        api_of_ann.objects["cronjobs"].clear()

    monkeypatch.setattr(scheduling, "_patch", removed)
    with pytest.raises(Unavailable, match="somebody has removed its schedule meanwhile"):
        mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night", zone="UTC")


def test_an_account_that_is_ready_is_used(notebook: Path, api_of_ann: StoringApi) -> None:
    options = {"driver_account": "ready", "context": "c"}
    profiles.save(Profile(name="ready", place="kubernetes", groups=[Group(workers=1)], options=options))
    api_of_ann.refused = {"serviceaccounts", "roles", "rolebindings"}
    mlops.pipeline(notebook).schedule("1 day at 02:00", profile="ready")
    pod = api_of_ann.of("cronjobs", "night-")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "ready"
    build = next(each["secret"]["secretName"] for each in pod["volumes"] if each["name"] == "spec")
    asked = json.loads(api_of_ann.kept(build, "spec.json"))["asked"]
    assert asked["options"] == {"driver_account": "ready"}, "a context leads nowhere in a pod"


def test_what_can_t_be_asked_for_says_so(notebook: Path, api_of_ann: StoringApi) -> None:
    pipeline = mlops.pipeline(notebook)
    wrong: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (InvalidSpec, "'1 h' or '2 h'", {"every": "90 min"}),
        (InvalidSpec, "There is no time zone 'Mars'", {"zone": "Mars"}),
        (InvalidInput, "No cluster can be named", {"cluster": "c"}),
        (InvalidInput, "'none.csv' can't be brought along", {"files": ["none.csv"]}),
        (InvalidSpec, "is of the place 'kubernetes', not of 'local'", {"place": "local"}),
    ]
    for error, words, asked in wrong:
        with pytest.raises(error, match=words):
            pipeline.schedule(**{"every": "1 day at 02:00", "profile": "night", **asked})
    with pytest.raises(InvalidInput, match="Neither a zone nor files"):
        pipeline.schedule("1 day at 02:00", zone="UTC")
    assert not _everything(api_of_ann)


def test_the_clock_is_this_machine_s_unless_another_is_named(notebook: Path, api_of_ann: StoringApi) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night")
        assert api_of_ann.of("cronjobs", "night-")["spec"]["timeZone"] == "Asia/Tokyo"
        patch.setenv("TZ", ":/usr/share/zoneinfo/Asia/Seoul")
        mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night")
        assert api_of_ann.of("cronjobs", "night-")["spec"]["timeZone"] == "Asia/Seoul"
        patch.setenv("TZ", "XYZ-3")  # a clock without a name
        time.tzset()
        with pytest.raises(InvalidSpec, match="time zone can't be found"):
            mlops.pipeline(notebook).schedule("1 day at 03:00", profile="night")
    time.tzset()


def test_what_only_this_machine_has_is_said(
    notebook: Path, api_of_ann: StoringApi, capsys: pytest.CaptureFixture[str]
) -> None:
    uses = f"import jupyter_mlops as mlops\n{STEP.splitlines()[1]}\nmlops.save_model(x, 'm')\nopen('/etc/hostname')"
    cells = [{"cell_type": "code", "source": STEP}, {"cell_type": "code", "source": f"%%mlrun --step two\n{uses}"}]
    notebook.write_text(json.dumps({"cells": cells}))
    mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night", zone="UTC")
    told = "".join(capsys.readouterr())
    assert "uses save_model: models are this machine's" in told and "names /etc/hostname: what lies outside" in told


def test_how_runs_went_is_told(notebook: Path, api_of_ann: StoringApi, capsys: pytest.CaptureFixture[str]) -> None:
    mlops.pipeline(notebook).schedule("1 day at 02:00", profile="night", zone="UTC")
    labels = api_of_ann.of("cronjobs", "night-")["metadata"]["labels"]

    def job(name: str, **status: Any) -> dict[str, Any]:
        began = {"startTime": "2026-11-27T02:00:00Z", **status}
        return api_of_ann.put("jobs", {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": began})

    def told() -> str:
        return str(mlops.pipeline(notebook)).splitlines()[-1]

    main(["pipeline", "log", str(notebook)])
    assert "hasn't run by itself so far" in capsys.readouterr().err
    first = job("one")
    refused = 'pods "x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2'
    event = {"metadata": {"name": "e"}, "reason": "FailedCreate", "message": refused}
    api_of_ann.put("events", event)
    assert "It runs since" in told() and "The namespace's quota 'few' is used up" in told()

    owner = [{"uid": first["metadata"]["uid"]}]
    pod = {"metadata": {"name": "p", "labels": {**labels, "jupyter-mlops/part": "driver"}, "ownerReferences": owner}}
    terminated = {"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, "name": "driver"}
    api_of_ann.put("pods", {**pod, "spec": {}, "status": {"phase": "Failed", "containerStatuses": [terminated]}})
    failed = {"type": "Failed", "status": "True", "lastTransitionTime": "2026-11-27T02:10:00Z"}
    first["status"]["conditions"] = [{**failed, "reason": "BackoffLimitExceeded"}]
    assert "failed: The notebook" in told() and "memory" in told()
    first["status"]["conditions"] = [{**failed, "reason": "DeadlineExceeded"}]
    assert "it ran longer than" in told()

    api_of_ann.of("cronjobs", "night-")["metadata"]["annotations"]["jupyter-mlops/scheduled"] = "{"
    capsys.readouterr()
    main(["pipeline", "list"])
    assert "can't be read" in capsys.readouterr().out
