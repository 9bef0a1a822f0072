"""Who may do what on a real Kubernetes, and what is seen when rights, logins or the whole namespace go away."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.core.cluster import ClusterSpec
from jupyter_mlops.core.errors import ClusterEnded, MlopsError, Refused, RunLost

from .clusters import PATIENCE, Namespace, in_thread, small, until
from .kube import Kube
from .running import Running, call, endless, running, slowly

BINDINGS = "rolebindings.rbac.authorization.k8s.io"
#: What who may do nothing with a namespace may not do.
EVERYTHING = (
    "get pods", "get pods/log", "create pods", "create pods/portforward", "create pods/exec", "get secrets",
    "list secrets", "get configmaps", "get deployments.apps", "delete deployments.apps", f"create {BINDINGS}",
    "get services", "create serviceaccounts/token",
)  # fmt: skip
#: What she may do with her own.
OWN = ("get pods", "get secrets", "create deployments.apps")


async def test_a_user_without_rights_reads_a_sentence(
    namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(namespace.kube.login("nobody", namespace.name, tmp_path)))

    spec = namespace.spec()
    with pytest.raises(Refused) as refused:
        await namespace.backend.check(spec.profile)
    assert re.search(r"may not create, [a-z, ]*pods", str(refused.value))
    with pytest.raises(Refused) as refused:
        await namespace.backend.start(spec)
    assert "The service account 'nobody' may not create deployments" in str(refused.value)
    assert spec.name not in [state.name for state in await namespace.backend.clusters()]


async def test_who_has_the_role_edit_makes_clusters_with_an_account_that_is_ready(
    namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubernetes' own ClusterRole for users lets nobody make roles."""
    from jupyter_mlops.places.kubernetes.records.manifests import as_yaml, controller_manifests

    kube = namespace.kube
    monkeypatch.setenv("KUBECONFIG", str(kube.login("eddy", namespace.name, tmp_path)))
    account = f"{namespace.name}:eddy"
    kube.kubectl(
        "create", "rolebinding", "eddy", "-n", namespace.name, "--clusterrole=edit", f"--serviceaccount={account}"
    )
    user = f"system:serviceaccount:{account}"
    await until(lambda: _may(kube, user, namespace.name, OWN), lambda may: all(may.values()), "bound")
    with pytest.raises(Refused, match=r"may not create roles\.rbac.*, rolebindings.*--controller"):
        await namespace.backend.check(namespace.spec().profile)
    spec = namespace.spec(small(1), kubernetes={"service_account": "ready"})
    with pytest.raises(Refused, match="there is no service account 'ready'"):
        await namespace.backend.check(spec.profile)

    kube.kubectl("apply", "-f", "-", stdin=as_yaml(controller_manifests(namespace.name, "ready")))
    await namespace.backend.check(spec.profile)
    async with namespace.cluster(spec, workers=1) as (name, _):
        pass
    receipt = await namespace.backend.receipt(name)
    assert receipt is not None and receipt.most_workers == 1
    made = ("serviceaccount/ready", "role/ready", "rolebinding/ready", "rolebinding/eddy")
    kube.kubectl("delete", *made, "-n", namespace.name)


async def test_two_users_of_a_hub_have_nothing_to_do_with_each_other(
    kube: Kube, namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/kubernetes.md has it: each makes clusters, and neither sees, stops, uses or reads the other's."""
    from jupyter_mlops.places.kubernetes.records.manifests import as_yaml, hub_manifests

    users = [namespace.name.removeprefix("mlops-") + f"-{name}" for name in ("ann", "bob")]
    given = "---\n".join(as_yaml(hub_manifests(namespace.name, user, nodes=False)) for user in users)
    await in_thread(lambda: kube.kubectl("apply", "-f", "-", stdin=given))
    try:
        one, two = (_HubUser(kube, namespace.name, user, tmp_path) for user in users)
        async with one.cluster(monkeypatch) as hers, two.cluster(monkeypatch) as his:
            for user, own, other, foreign in ((one, hers, two, his), (two, his, one, hers)):
                monkeypatch.setenv("KUBECONFIG", str(user.kubeconfig))
                await user.space.backend.check(own.profile)
                seen = [state.name for state in await user.space.backend.clusters()]
                assert own.name in seen and foreign.name not in seen
                assert all((await _may(kube, user.account, user.space.name, OWN)).values())
                await _reaches_nothing_of(user, own, other, foreign)
    finally:
        await in_thread(lambda: kube.kubectl("delete", "--wait=false", "-f", "-", stdin=given))


class _HubUser:
    """One whose Jupyter server has the service account that the hub's recipe makes, and her namespace."""

    def __init__(self, kube: Kube, hub: str, user: str, folder: Path) -> None:
        self.space = Namespace(kube, f"mlops-{user}")
        self.account = f"system:serviceaccount:{hub}:mlops-{user}"
        config = json.loads(kube.login(f"mlops-{user}", hub, folder).read_text())
        config["contexts"][0]["context"]["namespace"] = self.space.name
        self.kubeconfig = folder / f"{user}.config"
        self.kubeconfig.write_text(json.dumps(config))

    @asynccontextmanager
    async def cluster(self, patch: pytest.MonkeyPatch) -> AsyncIterator[ClusterSpec]:
        """A cluster of hers."""
        patch.setenv("KUBECONFIG", str(self.kubeconfig))
        spec = self.space.spec(small(1), environment={"TOKEN": "secret"})
        async with self.space.cluster(spec, workers=1):
            yield spec
            patch.setenv("KUBECONFIG", str(self.kubeconfig))


async def _reaches_nothing_of(user: _HubUser, own: ClusterSpec, other: _HubUser, spec: ClusterSpec) -> None:
    """`user`, who has a cluster of her `own` and knows the names of everything, and `other`'s cluster."""
    backend = user.space.backend
    for forbidden in (
        backend.link(spec.name, 2),
        backend.logs(spec.name),
        backend.stop(spec.name, force=True),
        backend.start(other.space.spec()),
    ):
        with pytest.raises(MlopsError):
            await forbidden
    with pytest.raises(MlopsError):
        await in_thread(lambda: mlops.run(endless, cluster=spec.name))
    hub = user.account.split(":")[2]
    controller = f"system:serviceaccount:{user.space.name}:{own.name}-controller"
    for account, where, what in (
        (user.account, other.space.name, EVERYTHING),
        (user.account, hub, EVERYTHING),
        (controller, other.space.name, EVERYTHING),
        (controller, user.space.name, ("get secrets", "list secrets", "create secrets", f"create {BINDINGS}")),
    ):
        answers = await _may(user.space.kube, account, where, what)
        assert not any(answers.values()), (account, where, answers)


async def _may(kube: Kube, account: str, where: str, what: Sequence[str]) -> dict[str, bool]:
    """Which of these things a service account may do in a namespace; all are asked for at once."""
    reviews = []
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{account.split(':')[2]}", "system:authenticated"]
    for each in what:
        verb, _, kind = each.partition(" ")
        resource, _, part = kind.partition("/")
        plural, _, group = resource.partition(".")
        asked = {"namespace": where, "verb": verb, "resource": plural, "group": group, "subresource": part}
        spec = {"user": account, "groups": groups, "resourceAttributes": asked}
        reviews.append({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec})
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    told = await in_thread(lambda: kube.kubectl("create", "-f", "-", "-o", "json", stdin=listed))
    answers: list[Any] = []
    while told := told.strip():  # one object after the other
        answer, end = json.JSONDecoder().raw_decode(told)
        answers += answer.get("items", [answer])
        told = told[end:]
    assert [answer["spec"]["resourceAttributes"]["verb"] for answer in answers] == [each.split()[0] for each in what]
    return {each: answer["status"]["allowed"] for each, answer in zip(what, answers, strict=True)}


def test_a_controller_that_may_not_create_pods_says_so(kube: Kube) -> None:
    """What runs goes on; when the right is back, so are the workers."""
    with running(kube, workers=1) as made:
        binding = made.kube.get("rolebindings", made.namespace.name)[0]
        for field in ("uid", "resourceVersion", "creationTimestamp"):
            del binding["metadata"][field]
        made.kube.kubectl("delete", "rolebinding", binding["metadata"]["name"], "-n", made.namespace.name)
        controller = f"system:serviceaccount:{made.namespace.name}:{made.name}-controller"
        may = ("create pods",)  # which the API forgets a little later than it says that the binding is gone
        made.until(lambda: not any(call(_may(made.kube, controller, made.namespace.name, may)).values()))
        made.cluster.scale(2)
        made.until(lambda: made.missing().startswith(f"The service account '{made.name}-controller' may not create"))
        assert mlops.map(slowly, range(4), cluster=made.cluster).result(PATIENCE) == [0, 2, 4, 6]
        made.kube.apply(binding)
        made.ready(2)
        made.until(lambda: not made.problem())  # it sees its pods again some seconds later than they may be made
        made.check_receipt()


def test_a_login_that_ends_is_renewed(kube: Kube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in of the kubeconfig gives tokens. One that was revoked hides nothing, and the next one is used."""
    with running(kube, workers=1) as made:
        token = tmp_path / "token"
        monkeypatch.setenv("KUBECONFIG", str(_with_plugin(made, token, tmp_path)))
        _issue(made, token, "first")
        made.until(lambda: made.phase() == "running")
        run = mlops.map(slowly, range(60), cluster=made.cluster)
        made.until(lambda: run.record.done > 0)
        made.kube.kubectl("delete", "secret", "first", "-n", made.namespace.name)
        made.until(lambda: _listed_problem(made).startswith("Kubernetes doesn't accept your login"))
        assert made.phase() == "unreachable"
        _issue(made, token, "second")
        made.until(lambda: made.phase() == "running")
        assert run.result(PATIENCE) == [2 * item for item in range(60)]


def _listed_problem(made: Running) -> str:
    """What the list of clusters says is wrong with it."""
    (state,) = [state for state in call(made.namespace.backend.clusters()) if state.name == made.name]
    return state.problem.what if state.problem else ""


def test_the_namespace_is_deleted(kube: Kube) -> None:
    """All ends. The receipt goes with it: who saw the cluster still lists it as ended, with what it had cost."""
    with running(kube, workers=1) as made:
        run = mlops.run(endless, cluster=made.cluster)
        made.until(lambda: run.state == "running")
        made.until(lambda: made.worker_seconds_kept() > 5)
        made.kube.kubectl("delete", "namespace", made.namespace.name, f"--timeout={PATIENCE:.0f}s")
        made.until(lambda: made.phase() == "ended")
        with pytest.raises(RunLost):
            run.result(PATIENCE)
        receipt = made.cluster.receipt()
        assert receipt is not None and receipt.cause == "deleted" and "namespace" in receipt.why
        assert receipt.cost.usage.worker_hours * 3600 > 3
        with pytest.raises((ClusterEnded, RunLost)):
            mlops.run(endless, cluster=made.cluster).result(PATIENCE)
        call(made.namespace.backend.forget(made.name))
        assert made.name not in [state.name for state in call(made.namespace.backend.clusters())]


def _with_plugin(made: Running, token: Path, folder: Path) -> Path:
    """A kubeconfig whose user's token is what stands in the file `token`."""
    made.kube.login("ann", made.namespace.name, folder)
    rights = {"kind": "ClusterRole", "name": "admin", "apiGroup": "rbac.authorization.k8s.io"}
    subject = {"kind": "ServiceAccount", "name": "ann", "namespace": made.namespace.name}
    metadata = {"name": "ann", "namespace": made.namespace.name}
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}
    made.kube.apply({**kind, "metadata": metadata, "roleRef": rights, "subjects": [subject]})
    version = "client.authentication.k8s.io/v1"
    program = (
        "import json, sys; token = open(sys.argv[1]).read();"
        f"print(json.dumps({{'apiVersion': '{version}', 'kind': 'ExecCredential', 'status': {{'token': token}}}}))"
    )
    plugin = {
        "apiVersion": version,
        "command": sys.executable,
        "args": ["-c", program, str(token)],
        "interactiveMode": "Never",
    }
    config = json.loads(made.kube.config)
    config["users"] = [{"name": "ann", "user": {"exec": plugin}}]
    config["contexts"][0]["context"] |= {"user": "ann", "namespace": made.namespace.name}
    path = folder / "plugin.kubeconfig"
    path.write_text(json.dumps(config))
    return path


def _issue(made: Running, token: Path, secret: str) -> None:
    """A token that is worth something for as long as that secret is there."""
    where = ["-n", made.namespace.name]
    made.kube.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret, "namespace": made.namespace.name}}
    )
    bound = ["--bound-object-kind", "Secret", "--bound-object-name", secret]
    token.write_text(made.kube.kubectl("create", "token", "ann", *where, *bound).strip())
