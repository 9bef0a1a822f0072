"""The objects of a service are made and changed; whatever interrupts it, nothing is left that nobody wants."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence

from ....core.candidate import CandidateState
from ....core.errors import MlopsError
from ....core.service import CallerTokens, ServiceSpec
from ....home.owner import me
from ....home.services import with_caller
from .. import names
from ..api.client import MERGE_PATCH, Answer, Api, Json, delete
from ..names import ServiceNames
from ..records.record import APPS, POLICY
from .boards import supply_board
from .objects import (
    BEFORE,
    CALLERS,
    LEDGER,
    PAST,
    RECEIPT,
    REVISION,
    TOKEN,
    WANTED,
    address_object,
    budget,
    build_files,
    build_of,
    build_secrets,
    change_of,
    deployment,
    environment_secret,
    record_object,
    template_of,
)
from .parcel import Parcels
from .posting import post
from .record import as_lines, look, store
from .stopping import delete_deployment, delete_record
from .stored import StoredService, with_replicas
from .tried import trial_of, unnoted

_JSON_PATCH = "application/json-patch+json"


async def make_service(
    api: Api, ids: ServiceNames, spec: ServiceSpec, parcels: Parcels, before: StoredService | None = None
) -> None:
    """Make all of a service; its pods are asked for last. Whatever interrupts it, nothing is left that costs, and
    one that had stopped `before` has stopped still."""
    files = await asyncio.to_thread(build_files, spec)
    environment = spec.profile.environment if spec.profile is not None else {}
    build = build_of(files, environment)
    template = template_of(spec, ids, build, parcels)
    entries = with_replicas([], spec, time.time())
    record: dict[str, str | bytes] = {WANTED: spec.model_dump_json(), LEDGER: as_lines(entries)}
    try:
        if before is not None:
            await store(api, ids, {**record, BEFORE: "", PAST: "", RECEIPT: ""}, before.version)
        else:
            token, known = with_caller(CallerTokens(), me(), spec.name)
            record |= {TOKEN: token, CALLERS: known.model_dump_json(indent=1)}
            await api.request("POST", api.path("secrets"), record_object(spec, ids, record), parse=False)
        made = await api.request("POST", api.path("deployments", group=APPS), deployment(spec, ids, template))
        owner = names.owner_of({"apiVersion": APPS, "kind": "Deployment", **made})
        await _supply(api, ids, spec, owner, build, files, parcels)
        await _patch_deployment(api, ids, change_of(spec, template, spec.revision))
    except BaseException:
        await asyncio.shield(_unmake(api, ids, spec, before))
        raise


async def change_service(
    api: Api,
    found: StoredService,
    spec: ServiceSpec,
    parcels: Parcels,
    keep: ServiceSpec | None,
    past: CandidateState | None = None,
) -> None:
    """Want something else of one that lives.

    Parameters
    ----------
    keep : what answers, and is wanted again where this can't be.
    past : a version that was tried, and went back.

    Raises
    ------
    Answer : Kubernetes refuses it; 409 where somebody wants something else since.
    """
    assert found.deployment is not None and spec.profile is not None
    ids, files = found.ids, await asyncio.to_thread(build_files, spec)
    build = build_of(files, spec.profile.environment)
    template = template_of(spec, ids, build, parcels)
    owner = names.owner_of({"apiVersion": APPS, "kind": "Deployment", **found.deployment})
    earlier = await _build_secrets(api, ids) | _boards_told(found)
    await _supply(api, ids, spec, owner, build, files, parcels)
    entries = with_replicas(found.entries, spec, time.time())
    before = "" if keep is None else keep.model_dump_json()
    record = {WANTED: spec.model_dump_json(), BEFORE: before, LEDGER: as_lines(entries)}
    record[PAST] = "" if past is None else past.model_dump_json()
    stored = await store(api, ids, record, found.version)
    try:
        await _patch_deployment(api, ids, change_of(spec, template, found.revision))
    except BaseException as error:
        others = await asyncio.shield(_take_back(api, found, spec, tuple(record), stored))
        if others and isinstance(error, Answer):
            raise Answer(409, {"message": "its Deployment is another one by now"}) from None
        raise
    used = {ids.board(trial_of(pod)) for pod in [template, found.deployment["spec"]["template"], *found.pods]}
    used |= _secrets_of(template["spec"]) | _secrets_of(found.deployment["spec"]["template"]["spec"])
    used.update(*(_secrets_of(pod["spec"]) for pod in found.pods))
    for name in earlier.keys() - used:
        unchanged = {"preconditions": {"resourceVersion": earlier[name]}}
        with contextlib.suppress(Answer):  # who wants it meanwhile has touched it; else it goes with the next change
            await delete(api, api.path("secrets", name), unchanged)


async def _supply(
    api: Api, ids: ServiceNames, spec: ServiceSpec, owner: Json, build: str,
    files: dict[str, str | bytes], parcels: Parcels,
) -> None:  # fmt: skip
    """What its pods need."""
    for body in build_secrets(spec, ids, owner, build, files, parcels):
        await _have(api, body, spec.revision)
    if (environment := environment_secret(spec, ids, owner)) is not None and not await post(
        api, "secrets", "", environment
    ):
        path = api.path("secrets", ids.environment)
        await api.request("PATCH", path, {"data": environment["data"]}, content=MERGE_PATCH, parse=False)
    if spec.candidate is not None:
        await supply_board(api, ids, spec, owner)
    await post(api, "services", "", address_object(spec, ids, owner))
    if spec.replicas > 1:
        with contextlib.suppress(Answer):  # without the right to it only who drains a node must think of it
            await post(api, "poddisruptionbudgets", POLICY, budget(spec, ids, owner))


async def _have(api: Api, body: Json, revision: str) -> None:
    """Have a Secret that pods are made by. One that is there is touched: who has just found that nobody needs it leaves
    it there then."""
    path, touched = api.path("secrets", body["metadata"]["name"]), {"metadata": {"annotations": {REVISION: revision}}}
    while not await post(api, "secrets", "", body):
        try:
            await api.request("PATCH", path, touched, content=MERGE_PATCH, parse=False)
            break
        except Answer as answer:
            if answer.status != 404:  # it was just removed
                raise


async def _patch_deployment(api: Api, ids: ServiceNames, operations: Sequence[Json]) -> None:
    path = api.path("deployments", ids.whole, group=APPS)
    await api.request("PATCH", path, list(operations), content=_JSON_PATCH, parse=False)  # type: ignore[arg-type]  # a JSON patch is a list


async def _unmake(api: Api, ids: ServiceNames, spec: ServiceSpec, before: StoredService | None) -> None:
    """Leave nothing of a wish that could not be made so; the record as it was `before`. What is of another wish stays,
    and so does what somebody else has under that name."""
    with contextlib.suppress(Answer, MlopsError):  # why it could not be made is to be said, whatever becomes of this
        made = await look(api, ids)
        if made is None or made.spec.revision != spec.revision:
            return
        if made.revision == spec.revision:
            await delete_deployment(api, made, "Background")
        if before is None:
            await delete_record(api, made)
        else:
            await store(api, ids, before.files(WANTED, BEFORE, PAST, LEDGER, RECEIPT), made.version)


async def _take_back(api: Api, found: StoredService, spec: ServiceSpec, files: tuple[str, ...], version: str) -> bool:
    """Put on record again what was `found`, unless the Deployment is as `spec` wants it in spite of all; the record is
    `version`. Whether the Deployment is what somebody else wants."""
    others = False
    with contextlib.suppress(Answer, MlopsError):  # why it could not be changed is to be said
        there = await look(api, found.ids)
        if there is not None and there.revision != spec.revision:
            others = there.revision != found.revision
            await store(api, found.ids, found.files(*files), version)
    return others


async def _build_secrets(api: Api, ids: ServiceNames) -> dict[str, str]:
    """The Secrets that pods of its wishes, earlier ones too, are made by, with Kubernetes' number of what each is."""
    query = {"labelSelector": f"{ids.selector},{names.PART}=build"}
    return _numbered((await api.request("GET", api.path("secrets"), query=query)).get("items") or [])


def _boards_told(found: StoredService) -> dict[str, str]:
    """The boards of earlier trials, of which all is in the trail, in the same way."""
    return _numbered(item for item in found.boards if not unnoted(item))


def _numbered(items: Iterable[Json]) -> dict[str, str]:
    return {str(each["metadata"]["name"]): str(each["metadata"].get("resourceVersion", "")) for each in items}


def _secrets_of(pod: Json) -> set[str]:
    """The Secrets that pods of a spec mount."""
    volumes = pod.get("volumes") or []
    found = {each["secret"]["secretName"] for each in volumes if "secret" in each}
    sources = [source for each in volumes for source in (each.get("projected") or {}).get("sources") or []]
    return found | {source["secret"]["name"] for source in sources if "secret" in source}
