"""What is made of a version that is tried on Kubernetes, and what is told of it: by an API that only stores."""

from __future__ import annotations

import base64
import json

import pytest

pytest.importorskip("kubernetes.aio")

import jupyter_mlops as mlops
from jupyter_mlops.core.board import SPLIT
from jupyter_mlops.core.errors import StartFailed
from jupyter_mlops.core.split import Move, Split
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.places.kubernetes import names
from jupyter_mlops.places.kubernetes.services import finder
from jupyter_mlops.serving import deploy
from jupyter_mlops.serving.wishes import promoted, with_share

from ..serving.conftest import until
from .api import StoringApi
from .stored import Controller, api, call, call_there, keep_report, made

__all__ = ["api"]  # a fixture


def test_a_version_that_is_tried_is_in_every_pod_which_may_change_one_object_and_costs_twice(api: StoringApi) -> None:
    service, controller = made(replicas=2), Controller(api)
    controller.pod()
    controller.counts(2)
    plain = api.of("deployments", "total")["spec"]["template"]["spec"]
    tried = mlops.deploy("total@2", canary=0.1, wait=False)
    deployment = api.of("deployments", "total")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    board = str(container["args"][-1])
    assert deployment["spec"]["template"]["metadata"]["labels"][names.TRIAL] == board.rpartition("-")[2]
    assert container["resources"]["requests"] == {"cpu": "1", "memory": str(2**31)}
    assert (plain["automountServiceAccountToken"], plain.get("serviceAccountName")) == (False, None)
    assert (pod["automountServiceAccountToken"], pod["serviceAccountName"]) == (True, board)
    (rule,) = api.of("roles", board)["rules"]
    assert rule == {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [board], "verbs": ["get", "patch"]}
    assert {api.of(kind, board)["metadata"]["ownerReferences"][0]["name"] for kind in ("roles", "serviceaccounts")} == {
        board
    }
    assert api.of("rolebindings", board)["subjects"] == [
        {"kind": "ServiceAccount", "name": board, "namespace": api.namespace}
    ]
    assert (tried.state.cost.per_hour if tried.state.cost else 0) == pytest.approx(4.0)  # four times half a CPU
    assert tried.candidate is not None and tried.candidate.phase == "starting"
    assert service.state.revision == "", "it isn't so before pods say so"

    told = {"what": "total@2 can't be loaded", "why": "no such module", "todo": ""}
    keep_report(api, board, controller.pod(), revision=service.state.wanted, problem=told)
    with pytest.raises(StartFailed, match=r"can't be loaded.*no such module"):
        call(deploy.until_so(call(deploy.hosting_of("kubernetes").spec("total"))))
    state = service.state
    assert state.candidate is not None and (state.candidate.phase, state.candidate.version) == ("back", 2)
    assert state.cost is not None and state.cost.per_hour == pytest.approx(2.0)


def test_a_version_that_is_tried_answers_once_no_pod_is_left_without_it(api: StoringApi) -> None:
    service, controller = made(replicas=2), Controller(api)
    old = controller.pod()
    controller.counts(2)
    mlops.deploy("total@2", canary=0.1, wait=False)
    board = str(api.of("deployments", "total")["spec"]["template"]["spec"]["serviceAccountName"])

    def waits() -> bool:
        return Split.model_validate_json(api.kept(board, SPLIT)).waits

    def gathered() -> bool:
        (found,) = call_there(finder.services_listed, {"labelSelector": names.SERVICE})
        return bool(found.gathered)

    controller.counts(2, readyReplicas=1)
    assert waits() and not gathered(), "no pod has it"
    told = {"version": 2, "way": "canary", "phase": "starting", "words": "canary 10 %: waits for all pods"}
    pod = controller.pod()
    keep_report(api, board, pod, revision=service.state.wanted, version=1, candidate=told, waits=True)
    assert not gathered(), "one still answers as before"
    state = service.state
    assert (state.revision, state.candidate and state.candidate.words) == ("", told["words"])
    controller.pod(ready=False)  # there is no room for it, say: it has nobody's requests
    del api.objects["pods"][old]
    assert gathered() and waits(), "nobody has looked"
    until(lambda: service.state and not waits())
    assert service.state.revision == "", "the pod hasn't heard that"
    api.objects["pods"].clear()
    controller.counts(2)
    for pod in (controller.pod(), controller.pod()):
        keep_report(api, board, pod, revision=service.state.wanted, version=1, candidate=told)
    assert service.state.revision == service.state.wanted

    mlops.deploy("total@2", shadow=True, wait=False)
    board = str(api.of("deployments", "total")["spec"]["template"]["spec"]["serviceAccountName"])
    assert not waits(), "it answers nobody anyway"


def test_one_pod_says_how_it_stands_as_long_as_it_is_heard(api: StoringApi) -> None:
    service, controller = made(replicas=2), Controller(api)
    controller.counts(2)
    mlops.deploy("total@2", canary=0.1, wait=False)
    board = str(api.of("deployments", "total")["spec"]["template"]["spec"]["serviceAccountName"])
    first, second = sorted(controller.pod() for _ in range(2))

    def says(pod: str, words: str, at: float, **other: str) -> str:
        told = {"version": 2, "way": "canary", "phase": "trying", "words": words}
        known = {"revision": service.state.wanted, "version": 1, "candidate": told, **other}
        keep_report(api, board, pod, time=at, **known)
        candidate = service.state.candidate
        return "" if candidate is None else candidate.words

    assert says(first, "about 57 min", 100.0) == "about 57 min"
    assert says(second, "about 76 min", 103.0) == "about 57 min", "or they would take turns"
    assert says(first, "about 56 min", 105.0) == "about 56 min"
    assert says(second, "about 75 min", 1000.0) == "about 75 min", "nothing was heard of the other one for long"
    assert says(first, "another share", 1003.0, revision="before") == "about 75 min", "it doesn't know what is wanted"


def test_what_pods_decide_is_told_once_and_pods_with_one_version_take_their_place(api: StoringApi) -> None:
    service, controller = made(), Controller(api)
    api.objects["pods"] = {}
    controller.counts(1)
    mlops.deploy("total@2", canary=0.1, wait=False)
    board, pod = str(api.of("deployments", "total")["spec"]["template"]["spec"]["serviceAccountName"]), controller.pod()
    seen = {"version": 2, "way": "canary", "phase": "trying", "share": 0.1, "words": "canary 10 %: undecided"}
    keep_report(api, board, pod, revision=service.state.wanted, version=1, candidate=seen)
    until(lambda: service.state.revision)  # whoever looks lets it answer
    state = service.state
    assert (state.revision, state.version) == (state.wanted, 1)
    assert state.candidate is not None and state.candidate.words == seen["words"]

    call(deploy.hosting_of("kubernetes").change("total", lambda spec: with_share(spec, 0.4)))
    split = Split.model_validate_json(api.kept(board, SPLIT))
    assert split.candidate is not None and (split.candidate.share, split.candidate.paused) == (0.4, True)
    spec = promoted(split.within(call(deploy.hosting_of("kubernetes").spec("total"))))
    assert spec.chosen > split.within(call(deploy.hosting_of("kubernetes").spec("total"))).chosen
    move = Move(time=1.0, verb="went on", object="total@2", before="total@2 as canary, 40 %", after="total@2 serves")
    api.keep(board, SPLIT, split.following(spec).model_copy(update={"moves": [move]}).model_dump_json())
    keep_report(api, board, pod, revision=spec.revision, version=2)

    def has_one() -> bool:
        assert service.state.name  # whoever looks sees to it
        return names.TRIAL not in api.of("deployments", "total")["spec"]["template"]["metadata"]["labels"]

    until(has_one)
    state = service.state
    assert (state.version, state.previous, state.revision, state.coming) == (2, 1, spec.revision, 0)
    assert call(deploy.hosting_of("kubernetes").spec("total")).chosen == spec.chosen, "an older champion isn't meant"
    template = api.of("deployments", "total")["spec"]["template"]
    assert template["metadata"]["labels"][names.VERSION] == "2" and len(template["spec"]["volumes"]) == len(
        {each["name"] for each in template["spec"]["volumes"]} - {"tried"}
    )
    mlops.services(), mlops.services()
    noted = [(each.verb, each.object, each.actor.how, each.time) for each in model_folder("total").trail()]
    assert noted.count(("went on", "total@2", "router", 1.0)) == 1


def test_what_keeps_pods_from_being_replaced_is_said_until_somebody_has_done_it(api: StoringApi) -> None:
    service, controller = made(), Controller(api)
    mlops.deploy("total@2", canary=0.1, wait=False)
    board = str(api.of("deployments", "total")["spec"]["template"]["spec"]["serviceAccountName"])
    controller.pod()
    controller.counts(1)
    split = Split.model_validate_json(api.kept(board, SPLIT))
    taken_back = split.model_copy(update={"candidate": None, "revision": "back"})
    noted = [{"verb": "deployed", "object": "total@9"}, {"verb": "rolled back", "object": "total@2"}]
    told = json.loads(taken_back.model_dump_json())
    api.keep(board, SPLIT, json.dumps({**told, "moves": noted}))
    api.refused = {"PATCH deployments"}
    until(lambda: service.state.problem is not None)
    api.refused = set()
    made(1)
    assert service.state.problem is None
    mlops.services()
    by_itself = [each.verb for each in model_folder("total").trail() if each.actor.how == "router"]
    assert by_itself == ["went on", "rolled back"], "a pod runs what people wrote, and deploys nothing"


def test_a_board_is_no_record_and_no_other_service_s_board_whatever_its_pod_writes_on_it(api: StoringApi) -> None:
    """Pods may change their board, and its labels, too; they run what people wrote."""
    made()
    mlops.deploy("total@2", canary=0.1, wait=False)
    board = str(api.of("deployments", "total")["spec"]["template"]["spec"]["serviceAccountName"])
    split = Split.model_validate_json(api.kept(board, SPLIT))
    moves = [Move(object="total@9", why="as if")]
    told = base64.b64encode(split.model_copy(update={"moves": moves}).model_dump_json().encode()).decode()
    metadata = {**api.objects["secrets"][board]["metadata"], "name": "evil-service-trial-0123456789ab"}
    api.put("secrets", {"metadata": metadata, "data": {SPLIT: told}})
    record = api.objects["secrets"]["total-service"]
    labels = {**record["metadata"]["labels"], names.SERVICE: "another"}
    metadata = {**record["metadata"], "name": "evil-service-trial-123456789abc", "labels": labels}
    api.put("secrets", {"metadata": metadata, "data": record["data"]})
    mlops.services()
    assert [each.name for each in mlops.services()] == ["total"]
    assert not [entry for entry in model_folder("total").trail() if entry.object == "total@9"]
