"""`mlops.deploy`, `mlops.service`, `mlops.services`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..client.clusters.kernel import loop_thread
from ..core.errors import InvalidInput
from ..registry.handle import Model, Version
from .deploy import deploy as deploy_service
from .deploy import read_deployment, read_text, until_so
from .find import find_service, list_services
from .handle import Service
from .shown import ServiceList
from .wishes import way_of


def deploy(
    model: str | Model | Version,
    *,
    name: str | None = None,
    replicas: int | None = None,
    port: int | None = None,
    body: int | str | None = None,
    connections: int | None = None,
    patience: float | str | None = None,
    window: float | str | None = None,
    log: float | None = None,
    log_rows: int | None = None,
    keep: float | str | None = None,
    private: Sequence[str] | None = None,
    place: str | None = None,
    profile: str | None = None,
    canary: bool | float = False,
    ab: bool | float = False,
    shadow: bool | float = False,
    steps: Sequence[float] | None = None,
    pipeline: str | Path | None = None,
    retrain: str | None = None,
    retrain_rows: int | None = None,
    wait: bool = True,
    why: str = "",
) -> Service:
    """Have a version of a model answer at a stable address. It goes on when kernel, server and browser end.

    Where the service is there already, the other version takes over without a request being lost, once it is ready: it
    has given the stored example its stored answer. If it doesn't, the one before goes on, and this raises.

    Parameters
    ----------
    model : "churn" (the champion), "churn@3", "churn@champion", "churn@newest", or what `mlops.model` gives.
    name : of the service; default: the model's.
    replicas : processes that answer side by side, each with one core's worth of threads; 1 of a new service. As with
        the others, what isn't given stays as it was.
    port : default: the one that it had, or any that is free.
    body : bytes of a request at most, or "16 MB".
    connections : that may be open at a time; 1000.
    patience : seconds for an answer, or "1 min"; a replica that takes longer is replaced.
    window : seconds, or "1 h", for which what is asked is counted at least before it is compared with the baseline.
    log : the share of requests that is logged, so that they can be looked at and labelled; 0.1, and 0 for none.
    log_rows : rows of an hour that are logged at most; 720.
    keep : seconds, or "30 d", after which what is logged is removed.
    private : features that are never logged.
    place : where it lives: "local" or "kubernetes"; default: where it lives already, else this machine.
    profile : of clusters of that place, whose image, namespace and size of workers its replicas have, where they are
        pods; default: the one used last.
    canary : try the version beside the one that serves, with a share of the callers: 0.05 to begin with, or what is
        given. It goes on by itself, in `steps`, to be the one that serves, where it harms nobody, and goes back where
        it does. Whoever sends a key (`X-Mlops-Key`) gets the same version each time.
    ab : as `canary`, for a share (0.5) that stays until somebody decides: `svc.promote()` or `svc.rollback()`.
    shadow : ask it what the version that serves is asked (all of it, or that part), and compare what it answers; nobody
        gets that. Not for models whose predictions do something.
    steps : the shares of a canary, after which it answers all: [0.05, 0.25, 0.5].
    pipeline : the notebook that is run to retrain the model; default: the one that the version was saved in. "" for
        that again.
    retrain : "by hand" (`svc.retrain()`, the sidebar) or "on alarm", too: at most once a day, and with enough new rows.
    retrain_rows : rows that have to be labelled since the last training for that; where nobody labels, be logged; 1000.
    wait : whether to return only when it answers.
    why : for the trail of the model.

    Raises
    ------
    UnknownModel, UnknownVersion, UnknownProfile : there is no such version or profile, or no champion.
    InvalidSpec : names what can't be asked for.
    StartFailed : why the version doesn't answer: a file or its example's answer has changed, it can't be loaded here.
    Conflict : the name is taken by another model's service; or `model` is a name that means an older version than
        the one that serves, since nobody has promoted that: say which you mean.
    NotFound, InvalidInput : the pipeline isn't there, has no steps, or saves other models.
    Refused, StorageFull, NotReady
    """
    text = model if isinstance(model, str) else model.name
    if not isinstance(text, str):
        raise InvalidInput(f"A {type(model).__name__} can't be deployed", "", "Save it first: mlops.save_model(…).")
    asked = read_deployment(
        **read_text(text),
        why=why,
        name=name,
        replicas=replicas,
        port=port,
        body=body,
        connections=connections,
        patience=patience,
        window=window,
        log=log,
        log_rows=log_rows,
        keep=keep,
        private=None if private is None else list(private),
        place=place,
        profile=profile,
        steps=None if steps is None else list(steps),
        pipeline=str(Path(pipeline).expanduser().resolve()) if pipeline else pipeline,
        retrain=retrain,
        retrain_rows=retrain_rows,
        **way_of(canary, ab, shadow),
    )
    state, spec = loop_thread().call(deploy_service(asked))
    if wait:
        state = loop_thread().call(until_so(spec))
    return Service(state)


def service(name: str) -> Service:
    """The service of that name, from any kernel.

    Raises
    ------
    UnknownService : there is none; a near name is suggested.
    """
    return Service(loop_thread().call(find_service(name)))


def services(all: bool = False) -> ServiceList[Service]:
    """All services, as a list that shows itself, a line each.

    Parameters
    ----------
    all : whether those are listed, too, that were stopped in the last 7 days.
    """
    found = loop_thread().call(list_services())
    return ServiceList(Service(state) for state in found if all or state.phase != "stopped")
