"""What is seen when the controller's own login to a real Kubernetes is worth nothing for a while."""

from __future__ import annotations

from .kube import Kube
from .running import Running, running

#: They break it.
ALONE = True


def test_a_pods_token_is_replaced(own_kube: Kube) -> None:
    """The controller's service account is made anew: its token is worth nothing until the kubelet brings another."""
    with running(own_kube, workers=1) as made:
        name = f"{made.name}-controller"
        (account,) = [
            each for each in own_kube.get("serviceaccounts", made.namespace.name) if each["metadata"]["name"] == name
        ]
        for field in ("uid", "resourceVersion", "creationTimestamp"):
            del account["metadata"][field]
        own_kube.kubectl("delete", "serviceaccount", name, "-n", made.namespace.name)
        own_kube.apply(account)
        made.until(lambda: _answer_to(made) == "401")  # the API remembers for some seconds that it was worth something
        made.cluster.scale(2)
        made.until(lambda: made.missing() == "Kubernetes doesn't accept your login")
        own_kube.restart("kubelet")  # it keeps tokens for most of an hour, but only in its memory
        made.ready(2)
        made.check_receipt()


def _answer_to(made: Running) -> str:
    """What the API answers to the scheduler's pod, with the token that it has."""
    program = (
        "import ssl, urllib.error, urllib.request as r\n"
        "at = '/var/run/secrets/kubernetes.io/serviceaccount/'\n"
        "headers = {'Authorization': 'Bearer ' + open(at + 'token').read()}\n"
        "ask = r.Request('https://kubernetes.default.svc/api', headers=headers)\n"
        "try: print(r.urlopen(ask, context=ssl.create_default_context(cafile=at + 'ca.crt')).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    (pod,) = made.pods("scheduler")
    command = ["exec", "-n", made.namespace.name, pod["metadata"]["name"], "--", "python", "-c", program]
    return made.kube.kubectl(*command).strip()
