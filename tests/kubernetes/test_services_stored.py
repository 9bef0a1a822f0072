"""What is made of a service on Kubernetes, and what is told of it: by an API that only stores."""

from __future__ import annotations

import base64
import gc
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes.aio")

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.callers import CallerDay, UsageDay, day_of
from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.core.errors import Conflict, InvalidSpec, Refused, StartFailed, Unavailable, UnknownService
from jupyter_mlops.core.service import ServiceState
from jupyter_mlops.home.elsewhere import elsewhere_folder
from jupyter_mlops.home.models import EXAMPLE, model_folder
from jupyter_mlops.home.parcels import parts_of, unpack
from jupyter_mlops.places.kubernetes import names
from jupyter_mlops.places.kubernetes.api.where import Where
from jupyter_mlops.places.kubernetes.services import finder, hosting, parcel
from jupyter_mlops.places.kubernetes.tunnel.connections import Connections
from jupyter_mlops.serving import caller, deploy, find
from jupyter_mlops.serving.pod import last_words

from ..serving.conftest import until
from .api import StoringApi
from .stored import Controller, Json, api, call, call_there, made, uid_of

__all__ = ["api"]  # a fixture

RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_what_is_made_is_what_an_administrator_would_accept(api: StoringApi) -> None:
    service = made(replicas=2)
    deployment = api.of("deployments", "total-service")
    assert deployment["spec"]["replicas"] == 2
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False and pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == RESTRICTED and container["image"] == "acme/work:1"
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": str(2**30)},
        "limits": {"memory": str(2**30)},
    }
    assert pod["nodeSelector"] == {"disk": "fast"}
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert api.of("poddisruptionbudgets", "total")["spec"]["maxUnavailable"] == 1
    assert "a secret" not in json.dumps([deployment, json.loads(api.kept(secret_of(pod, "spec"), "spec.json"))])
    owned = [item for kind in ("secrets", "services", "poddisruptionbudgets") for item in api.objects[kind].values()]
    for item in [deployment, *owned]:
        assert item["metadata"]["labels"]["owner"] == "Ann", item
    for item in owned:  # all goes with the Deployment, but for the record
        owners = [each["uid"] for each in item["metadata"].get("ownerReferences", [])]
        assert owners == (
            [] if item["metadata"]["name"] == "total-service" and "data" in item else [uid_of(deployment)]
        )
    callers = next(each for each in pod["volumes"] if each["name"] == "callers")
    assert callers["secret"]["items"] == [{"key": "callers.json", "path": "callers.json"}]  # and not the token
    assert service.callers == ["Ann"]
    kept = api.objects["secrets"]["total-service"]["data"]["token"]
    assert service.token() == base64.b64decode(kept).decode()


def test_its_life_as_lists_tell_it(api: StoringApi) -> None:
    service, controller = made(replicas=2), Controller(api)
    assert (service.state.phase, service.state.coming, service.state.revision) == ("starting", 1, "")

    controller.pod(), controller.pod()
    controller.counts(2)
    state = service.state
    assert (state.phase, state.version, state.revision) == ("ready", 1, state.wanted)
    assert state.address == "http://total-service.ann.svc:8080"
    assert [each.phase for each in state.replicas] == ["ready", "ready"]
    assert state.cost is not None and state.cost.per_hour == pytest.approx(2.0)  # twice half a CPU
    assert [each.name for each in mlops.services()] == ["total"] and mlops.service("total").state.place == "kubernetes"

    made(2)  # what isn't given stays as it was
    controller.counts(2, updatedReplicas=1)
    assert (service.state.version, service.state.coming, service.state.revision) == (1, 2, "")
    said = {"what": "total@2 doesn't answer its example as it did", "why": "the answer 1 is 2", "todo": "Look."}
    ended = {"terminated": {"exitCode": 1, "message": json.dumps(said)}}
    failed = controller.pod(ready=False, containerStatuses=[{"name": "replica", "lastState": ended, "state": {}}])
    state = service.state
    assert state.problem is not None and state.problem.what == said["what"] and state.revision == state.wanted
    with pytest.raises(StartFailed, match=r"doesn't answer .*: the answer 1 is 2.*total@1 serves on"):
        call(deploy.until_so(call(deploy.hosting_of("kubernetes").spec("total"))))
    del api.objects["pods"][failed]
    controller.counts(2)
    state = service.state  # the one before is wanted again
    assert (state.version, state.coming, state.problem, state.revision) == (1, 0, None, state.wanted)

    del api.objects["deployments"]["total-service"]
    assert service.state.phase == "dead" and "Deployment was deleted" in str(service.state.problem)


def test_what_keeps_it_from_coming_is_said_at_once(api: StoringApi) -> None:
    service, controller = made(), Controller(api)
    told = 'pods "x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2'
    controller.counts(0, conditions=[{"type": "ReplicaFailure", "status": "True", "message": told}])
    assert service.state.problem is not None and "quota 'few' is used up" in service.state.problem.what
    assert service.state.revision == service.state.wanted

    waits = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image: ErrImagePull: not found"}}
    controller.counts(1, readyReplicas=0, availableReplicas=0)
    name = controller.pod(
        ready=False, containerStatuses=[{"name": "replica", "image": "acme/work:1", "state": waits, "lastState": {}}]
    )
    assert service.state.problem is not None
    assert service.state.problem.what == "The image 'acme/work:1' does not exist"
    del api.objects["pods"][name]
    scheduled = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}
    controller.pod(ready=False, conditions=[scheduled])
    state = service.state  # a node may come
    assert state.problem is not None and "CPU" in state.problem.what and state.revision == ""

    api.objects["pods"].clear()
    api.of("deployments", "total")["metadata"]["generation"] = 2
    old = [{"type": "ReplicaFailure", "status": "True", "message": told}]
    controller.counts(0, conditions=old, observedGeneration=1)
    assert (service.state.problem, service.state.revision) == (None, "")  # that was of what was wanted before
    controller.counts(1, observedGeneration=2, readyReplicas=0)
    ended = {"terminated": {"exitCode": 137, "reason": "Error"}}
    killed = [{"name": "replica", "image": "acme/work:1", "state": ended}]
    controller.pod(ready=False, phase="Failed", reason="Evicted", message="low on memory", containerStatuses=killed)
    state = service.state  # another pod takes its place
    assert state.problem is not None and state.revision == "" and state.replicas == []


def test_stopped_it_keeps_its_callers_and_its_receipt_until_it_is_forgotten(
    api: StoringApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = made(replicas=2)
    service.token("billing")
    with pytest.raises(Conflict, match="lives"):
        call(deploy.hosting_of("kubernetes").forget("total"))
    service.stop()
    assert list(api.objects["secrets"]) == ["total-service"]
    assert not any(api.objects.get(kind) for kind in ("deployments", "services", "poddisruptionbudgets"))
    receipt = service.receipt
    assert receipt is not None and receipt.most_workers == 2 and (receipt.cost.amount or 0) > 0
    assert service.state.phase == "stopped" and mlops.services() == []

    again = made()
    with monkeypatch.context() as away, pytest.raises(mlops.errors.Unavailable):
        away.setattr(hosting, "is_there", _says_nothing)
        again.stop()
    state = again.state
    assert state.phase == "dead" and state.cost is not None and state.cost.per_hour == 0  # nothing is paid any more
    again = made()
    assert again.callers == ["Ann", "billing"] and again.receipt is None
    again.stop()
    call(deploy.hosting_of("kubernetes").forget("total"))
    assert api.objects["secrets"] == {}
    with pytest.raises(UnknownService):
        mlops.service("total")


def test_lists_tell_an_alarm_as_it_was_seen_last(api: StoringApi, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the version that answers, until the service is forgotten."""
    service, kubernetes = made(), Controller(api)
    kubernetes.pod()
    kubernetes.counts(1)
    assert service.callers.told.words == "Who called it isn't known here."
    (record,) = (item for item in api.objects["secrets"].values() if item["metadata"]["name"] == "total-service")
    folder = elsewhere_folder(uid_of(record), "total")
    folder.see(lambda seen: seen.note(1, drift=Problem(what="age has changed", why="71 % are outside")))
    assert service.state.alarm is not None and service.state.alarm.what == "age has changed"
    main(["services"])
    assert "age has changed" in capsys.readouterr().out
    folder.see(lambda seen: seen.note(1, worse=Problem(what="it is worse", why="accuracy 0.5")))
    assert service.state.alarm.what == "it is worse" and service.state.alarm.why == "accuracy 0.5. age has changed"
    folder.see(lambda seen: seen.note(2, worse=None))
    assert service.state.alarm is None
    now = time.time()
    folder.count({"gone": [UsageDay(day=day_of(now), callers=[CallerDay(caller="Ann", requests=3, last=now)])]}, now)
    assert (
        service.callers.told.words == "Ann called it within the hour." and service.callers.told.callers[0].requests == 3
    )
    api.objects["pods"].clear()
    service.stop()
    main(["services", "forget", "total"])
    assert not folder.path.exists()


def test_a_pod_that_was_evicted_has_nothing_to_be_forgotten(api: StoringApi) -> None:
    """It stays listed, and its disk is gone."""
    service, controller = made(), Controller(api)
    controller.pod(ready=False, phase="Failed", reason="Evicted")
    assert service.forget("ann") == 0
    controller.pod(ready=False)
    with pytest.raises(Unavailable, match=r"1 of its pods can't be asked now"):
        service.forget("ann")


def test_a_record_that_can_not_be_read_is_a_row(api: StoringApi) -> None:
    service = made()
    record = api.objects["secrets"]["total-service"]
    record["data"]["spec.json"] = "e30="  # {}
    (state,) = call(find.list_services())
    assert (state.name, state.phase) == ("total", "unreachable")
    assert state.problem is not None and "can't be read" in state.problem.what
    service.stop()
    assert "deployments" not in api.objects or api.objects["deployments"] == {}


def test_a_name_of_somebody_else_s_is_theirs(api: StoringApi, monkeypatch: pytest.MonkeyPatch) -> None:
    made()
    monkeypatch.setenv("JUPYTERHUB_USER", "Bob")
    assert mlops.services() == []
    with pytest.raises(Refused, match="it is Ann's"):
        made()


def test_what_can_not_be_made_is_refused_and_leaves_nothing(api: StoringApi, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSpec, match="36 characters at most"):
        made(name="a" * 40)
    made(name="taken")
    with pytest.raises(Conflict, match="in the place 'kubernetes'"):
        mlops.deploy("total@1", place="local", name="taken", wait=False)
    mlops.service("taken").stop()
    call(deploy.hosting_of("kubernetes").forget("taken"))
    with pytest.raises(InvalidSpec, match="No profile is needed"):
        mlops.deploy("total@1", place="local", profile="small", wait=False)
    with monkeypatch.context() as small, pytest.raises(InvalidSpec, match="too large to be sent"):
        small.setattr(parcel, "MOST_PARTS", 0)
        made()
    api.refused = {"services"}
    with pytest.raises(Refused, match="total@1 isn't deployed"):
        made()
    assert not any(api.objects.get(kind) for kind in ("deployments", "secrets"))
    api.refused = set()
    theirs = api.put("deployments", {"metadata": {"name": "total-service"}, "spec": {"replicas": 7}})
    with pytest.raises(Conflict, match="an object of its name is there"):
        made()
    assert api.objects["deployments"] == {"total-service": theirs} and not api.objects["secrets"]


def test_a_change_that_is_refused_is_not_on_record(api: StoringApi) -> None:
    service, controller = made(), Controller(api)
    controller.pod()
    controller.counts(1)
    before = service.state
    api.refused = {"PATCH deployments"}
    with pytest.raises(Refused, match="total@2 isn't deployed"):
        made(2, replicas=5)
    after = service.state
    assert (after.wanted, after.revision, after.version, after.problem) == (before.wanted, before.wanted, 1, None)
    assert after.cost is not None and after.cost.per_hour == pytest.approx(1.0)  # of one replica


def so_and_wanted(api: StoringApi) -> tuple[set[str], int]:
    """The revisions of the Deployment and of the record, which should be one, and its replicas."""
    kept = api.objects["secrets"]["total-service"]["data"]["spec.json"]
    deployment, wish = api.of("deployments", "total"), json.loads(base64.b64decode(kept))
    return {deployment["metadata"]["annotations"]["jupyter-mlops/revision"], wish["revision"]}, wish["replicas"]


def test_of_two_who_change_it_at_once_the_slower_one_undoes_nothing(api: StoringApi) -> None:
    """Who is told that it isn't deployed finds it so: what is on record is what pods are made by."""
    made()
    api.before["PATCH deployments"] = lambda: made(1, replicas=3)  # all of it, while the other one is about to
    with pytest.raises(Conflict, match="total@2 isn't deployed"):
        made(2)
    revisions, replicas = so_and_wanted(api)
    assert len(revisions) == 1 and replicas == 3 and api.of("deployments", "total")["spec"]["replicas"] == 3

    told: list[Exception] = []
    reached, through = threading.Event(), threading.Event()

    def later() -> None:
        def wait() -> None:
            reached.set()
            assert through.wait(60)

        api.before["PATCH deployments"] = wait
        try:
            made(1, replicas=5)
        except Conflict as error:
            told.append(error)

    other = threading.Thread(target=later)

    def meanwhile() -> None:
        other.start()
        assert reached.wait(60)

    api.before["PATCH deployments"] = meanwhile  # what is on record is another one's already, and isn't so yet
    made(2)
    through.set()
    other.join(60)
    revisions, replicas = so_and_wanted(api)
    assert len(told) == 1 and len(revisions) == 1 and replicas == 3


def test_what_somebody_wants_again_is_not_cleared_away(api: StoringApi) -> None:
    made()
    made(2)
    api.before["DELETE secrets"] = lambda: made(1)  # by the parts that nobody needed, a moment ago
    made(2, patience="2 min")
    pod = api.of("deployments", "total")["spec"]["template"]["spec"]
    sources = [each for volume in pod["volumes"] for each in (volume.get("projected") or {}).get("sources", [])]
    mounted = [each["secret"]["name"] for each in sources] + [secret_of(pod, "spec")]
    assert sources and all(name in api.objects["secrets"] for name in mounted)
    assert len(so_and_wanted(api)[0]) == 1


def test_pods_that_answer_keep_what_they_were_made_by(api: StoringApi) -> None:
    made()
    Controller(api).pod()
    needed = set(api.objects["secrets"])
    made(2)
    made(2, patience="2 min")  # before any of the one before was ready
    assert needed < set(api.objects["secrets"])
    api.objects["pods"].clear()
    made(2, patience="3 min")
    assert needed & set(api.objects["secrets"]) == {"total-service", "total-service-environment"}


def test_what_pods_need_not_know_leaves_them_as_they_are(api: StoringApi) -> None:
    """With what they have counted."""
    made()
    before = api.of("deployments", "total")["spec"]["template"]
    made(replicas=2)
    made(retrain_rows=7)
    assert api.of("deployments", "total")["spec"]["template"] == before
    made(patience="2 min")
    assert api.of("deployments", "total")["spec"]["template"] != before


def test_a_kubeconfig_that_changes_each_hour_leaves_nothing_behind(api: StoringApi, tmp_path: Path) -> None:
    def known() -> int:
        gc.collect()
        return sum(isinstance(each, ServiceState) for each in gc.get_objects())

    made()
    mlops.services()
    before = known()
    for hour in range(20):
        os.utime(os.environ["KUBECONFIG"], (hour, hour))
        assert len(mlops.services()) == 1
    assert known() < before + 10


def test_a_request_looks_once_where_its_service_is(api: StoringApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its state, its address and the token are of one look; a token that was taken back is of none."""
    service, looks, listed = made(), list[str](), finder.services_listed

    async def counted(api: Any, query: Any) -> Any:
        looks.append(api.namespace)
        return await listed(api, query)

    monkeypatch.setattr(finder, "services_listed", counted)
    monkeypatch.setattr(finder, "_FRESH", 600.0)
    monkeypatch.setattr(caller, "predict", lambda address, token, *_: ([token], []))
    assert service.state.live
    once = len(looks)
    (token,) = service.predict([[1.0, 2.0]])
    assert len(looks) == 2 * once and token == service.token()
    service.revoke("Ann")
    assert service.token() != token and service.callers == ["Ann"]
    service.stop()
    with pytest.raises(Unavailable, match="stopped"):
        service.predict([[1.0, 2.0]])


def test_of_two_places_the_one_where_it_lives_is_meant(api: StoringApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deployed anew elsewhere, it leaves a record where it stopped, and a place that is away keeps nobody waiting."""
    made()
    (lives,) = call_there(finder.services_listed, {"labelSelector": names.SERVICE})
    mlops.service("total").stop()
    (stopped,) = call_there(finder.services_listed, {"labelSelector": names.SERVICE})
    places = {Where("", "before"): [stopped], Where("", "now"): [lives]}

    async def those(self: finder.ServiceFinder, place: Where) -> Any:
        return None, places[place]

    monkeypatch.setattr(finder.ServiceFinder, "_all", those)
    for order in (list(places), list(reversed(places))):
        assert call(finder.ServiceFinder(Connections()).find("total", order))[1] is lives
    assert call(finder.ServiceFinder(Connections()).find("total", [Where("", "before")]))[1] is stopped


def test_a_kubernetes_that_is_away_hides_no_service_of_this_machine(
    api: StoringApi, capsys: pytest.CaptureFixture[str]
) -> None:
    made()
    assert [state.phase for state in call(find.list_services())] == ["starting"]
    api.refused = {"secrets", "pods", "deployments"}
    until(lambda: [state.phase for state in call(find.list_services())] == ["unreachable"])
    assert find.hosting_of("kubernetes").silence() is not None
    main(["services"])
    assert "! Kubernetes" in capsys.readouterr().out  # others may be there
    with pytest.raises(mlops.errors.Unavailable, match="isn't found where anybody answers"):
        mlops.service("other")


def test_one_that_was_seen_there_is_not_made_here_while_nobody_can_be_asked(api: StoringApi) -> None:
    """By a process that hasn't seen it itself."""
    made()
    record = next(item for item in api.objects["secrets"].values() if item["metadata"]["name"] == "total-service")
    elsewhere_folder(uid_of(record), "total").see(lambda seen: seen.note(1))
    api.refused = {"secrets", "pods", "deployments"}
    deploys = "import sys\nfrom jupyter_mlops.cli.main import main\nsys.exit(main(['deploy', 'total@1']))"
    told = subprocess.run([sys.executable, "-c", deploys], capture_output=True, text=True, check=False)
    assert "Nobody knows where the service 'total' lives: there was one elsewhere" in told.stderr, told
    assert not [state for state in call(find.list_services()) if state.place == "local"]


def test_a_version_arrives_as_it_was_sent_or_not_at_all(
    api: StoringApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model_folder("total").version(1)
    parts, digests = parts_of(folder, 9), folder.digests()
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "pod"))
    arrived = unpack([parts[0][:100], parts[0][100:], *parts[1:]], "total", 1)
    assert arrived.digests() == digests and EXAMPLE in digests
    assert arrived.record().digest == model_folder("total").version(1).record().digest
    with pytest.raises(ValueError, match="zip"):
        unpack([parts[0][:100]], "total", 1)


def test_what_a_pod_says_in_the_end_fits_into_what_kubernetes_keeps() -> None:
    said = Problem(what="It can't be loaded", why="是" * 3000 + "\x1b" * 300 + " the cause", todo="Look.")
    heard = Problem.model_validate_json(last_words(said))
    assert len(last_words(said)) <= 4096 and heard.why.endswith("the cause")
    assert (heard.what, heard.todo) == (said.what, said.todo)


async def _says_nothing(*_: Any) -> bool:
    raise mlops.errors.Unavailable("Kubernetes doesn't answer")


def secret_of(pod: Json, volume: str) -> str:
    return str(next(each for each in pod["volumes"] if each["name"] == volume)["secret"]["secretName"])
