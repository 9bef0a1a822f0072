"""The objects of a service are made and changed; whatever interrupts it, nothing is left that nobody wants."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

from ....core.errors import MlopsError
from ....core.service import CallerTokens, ServiceSpec
from ....home.owner import me
from ....home.services import with_caller
from .. import names
from ..api.client import MERGE_PATCH, Answer, Api, Json, delete
from ..names import ServiceNames
from .objects import (
    BEFORE,
    CALLERS,
    LEDGER,
    RECEIPT,
    TOKEN,
    WANTED,
    ServiceParcel,
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
from .record import TRIES, as_lines, look, store
from .stopping import APPS, LOOK, delete_deployment, delete_record
from .stored import StoredService, with_replicas

_JSON_PATCH = "application/json-patch+json"


async def make_service(
    api: Api, ids: ServiceNames, spec: ServiceSpec, parcel: ServiceParcel, before: StoredService | None = None
) -> None:
    """Make all of a service; its pods are asked for last. Whatever interrupts it, nothing is left that costs, and
    one that had stopped `before` has stopped still."""
    files = await asyncio.to_thread(build_files, spec)
    environment = spec.profile.environment if spec.profile is not None else {}
    build = build_of(files, environment)
    template = template_of(spec, ids, build, parcel.digest, len(parcel.parts))
    entries = with_replicas([], spec, time.time())
    record: dict[str, str | bytes] = {WANTED: spec.model_dump_json(), LEDGER: as_lines(entries)}
    try:
        if before is not None:
            await store(api, ids, {**record, BEFORE: "", RECEIPT: ""}, before.version)
        else:
            token, known = with_caller(CallerTokens(), me(), spec.name)
            record |= {TOKEN: token, CALLERS: known.model_dump_json(indent=1)}
            await api.request("POST", api.path("secrets"), record_object(spec, ids, record), parse=False)
        made = await api.request("POST", api.path("deployments", group=APPS), deployment(spec, ids, template))
        owner = names.owner_of({"apiVersion": APPS, "kind": "Deployment", **made})
        await _supply(api, ids, spec, owner, build, files, parcel)
        await _patch_deployment(api, ids, change_of(spec, template))
    except BaseException:
        await asyncio.shield(_unmake(api, ids, spec, before))
        raise


async def change_service(
    api: Api, found: StoredService, spec: ServiceSpec, parcel: ServiceParcel, keep: ServiceSpec | None
) -> None:
    """Want something else of one that lives. `keep` is what answers, and is wanted again where this can't be."""
    assert found.deployment is not None and spec.profile is not None
    ids, files = found.ids, await asyncio.to_thread(build_files, spec)
    build = build_of(files, spec.profile.environment)
    template = template_of(spec, ids, build, parcel.digest, len(parcel.parts))
    owner = names.owner_of({"apiVersion": APPS, "kind": "Deployment", **found.deployment})
    earlier = await _build_names(api, ids)
    await _supply(api, ids, spec, owner, build, files, parcel)
    entries = with_replicas(found.entries, spec, time.time())
    before = "" if keep is None else keep.model_dump_json()
    record = {WANTED: spec.model_dump_json(), BEFORE: before, LEDGER: as_lines(entries)}
    stored = await store(api, ids, record, found.version)
    try:
        await _patch_deployment(api, ids, change_of(spec, template))
    except BaseException:
        await asyncio.shield(_take_back(api, found, tuple(record), stored))
        raise
    used = _secrets_of(template["spec"]) | _secrets_of(found.deployment["spec"]["template"]["spec"])
    used.update(*(_secrets_of(pod["spec"]) for pod in found.pods))
    for name in earlier - used:  # of those before: what was made since is another wish's, which comes
        await delete(api, api.path("secrets", name))


async def _supply(
    api: Api, ids: ServiceNames, spec: ServiceSpec, owner: Json, build: str,
    files: dict[str, str | bytes], parcel: ServiceParcel,
) -> None:  # fmt: skip
    """What its pods need."""
    for body in build_secrets(spec, ids, owner, build, files, parcel):
        await _post(api, "secrets", "", body)
    if (environment := environment_secret(spec, ids, owner)) is not None and not await _post(
        api, "secrets", "", environment
    ):
        path = api.path("secrets", ids.environment)
        await api.request("PATCH", path, {"data": environment["data"]}, content=MERGE_PATCH, parse=False)
    await _post(api, "services", "", address_object(spec, ids, owner))
    if spec.replicas > 1:
        with contextlib.suppress(Answer):  # without the right to it only who drains a node must think of it
            await _post(api, "poddisruptionbudgets", "policy/v1", budget(spec, ids, owner))


async def _patch_deployment(api: Api, ids: ServiceNames, operations: Sequence[Json]) -> None:
    path = api.path("deployments", ids.whole, group=APPS)
    await api.request("PATCH", path, list(operations), content=_JSON_PATCH, parse=False)  # type: ignore[arg-type]  # a JSON patch is a list


async def _post(api: Api, kind: str, group: str, body: Json) -> bool:
    """Make an object; whether it wasn't there. One that an earlier Deployment owned is about to go: it is made anew."""
    for attempt in range(TRIES):
        try:
            await api.request("POST", api.path(kind, group=group), body, parse=False)
            return True
        except Answer as answer:
            if answer.status != 409 or attempt == TRIES - 1:
                raise
        name = body["metadata"]["name"]
        query = {"fieldSelector": f"metadata.name={name}"}
        there = (await api.request("GET", api.path(kind, group=group), query=query)).get("items") or []
        if there and _owners(there[0]) == _owners(body):
            return False
        if there and names.SERVICE not in (there[0]["metadata"].get("labels") or {}):
            raise Answer(409, {"message": f"{name!r} is somebody else's"})
        await delete(api, api.path(kind, name, group=group))
        await asyncio.sleep(LOOK)
    raise AssertionError


def _owners(item: Json) -> list[str]:
    return [str(owner["uid"]) for owner in item["metadata"].get("ownerReferences") or []]


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
            await store(api, ids, before.files(WANTED, BEFORE, LEDGER, RECEIPT), made.version)


async def _take_back(api: Api, found: StoredService, files: tuple[str, ...], version: str) -> None:
    """Put on record again what is so, and paid, where the Deployment is as it was `found`; the record is `version`."""
    with contextlib.suppress(Answer, MlopsError):  # why it could not be changed is to be said
        there = await look(api, found.ids)
        if there is not None and there.revision == found.revision:
            await store(api, found.ids, found.files(*files), version)


async def _build_names(api: Api, ids: ServiceNames) -> set[str]:
    """The Secrets that pods of its wishes, earlier ones too, are made by."""
    query = {"labelSelector": f"{ids.selector},{names.PART}=build"}
    there = (await api.request("GET", api.path("secrets"), query=query)).get("items") or []
    return {str(item["metadata"]["name"]) for item in there}


def _secrets_of(pod: Json) -> set[str]:
    """The Secrets that pods of a spec mount."""
    volumes = pod.get("volumes") or []
    found = {each["secret"]["secretName"] for each in volumes if "secret" in each}
    sources = [source for each in volumes for source in (each.get("projected") or {}).get("sources") or []]
    return found | {source["secret"]["name"] for source in sources if "secret" in source}
