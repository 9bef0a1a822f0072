"""Boards of trials are made and changed: by whoever looks, at the same time as by pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ....core.board import SPLIT, Board, board_of
from ....core.service import ServiceSpec
from ....core.split import Split
from .. import names
from ..api.client import MERGE_PATCH, Answer, Api, Json
from ..names import ServiceNames
from ..records.kept import change, secret
from ..records.record import RBAC
from .objects import metadata_of, profile_of
from .posting import post
from .record import TRIES
from .trial import BOARD, account_of, rights

#: The groups of the kinds by which pods get their right.
_GROUPS = {"roles": RBAC, "rolebindings": RBAC}


async def supply_board(api: Api, ids: ServiceNames, spec: ServiceSpec, owner: Json) -> None:
    """Have a board with who is to answer, and the right to it, which goes with it."""
    assert spec.candidate is not None
    salt = spec.candidate.salt
    name = ids.board(salt)
    split = Split.of(spec).model_copy(update={"waits": spec.candidate.way != "shadow"})  # which answers nobody anyway
    files: Mapping[str, str | bytes] = {SPLIT: split.model_dump_json()}
    if not await post(api, "secrets", "", secret(metadata_of(spec, ids, name, BOARD, owner), files)):
        await change_board(api, name, lambda board: board.split.following(spec))  # the same trial, with other pods
    made = await api.request("GET", api.path("secrets", name))
    belongs = names.owner_of({"apiVersion": "v1", "kind": "Secret", **made})
    account = account_of(profile_of(spec), ids, salt)
    for kind, body in rights(ids, salt, account, metadata_of(spec, ids, name, BOARD, belongs)).items():
        await post(api, kind, _GROUPS.get(kind, ""), body)


async def open_board(api: Api, name: str) -> None:
    """Have the candidate answer from now on. Raises as `change_board`."""
    await change_board(
        api, name, lambda board: board.split.model_copy(update={"waits": False}) if board.split.waits else None
    )


async def change_board(api: Api, name: str, change_it: Callable[[Board], Split | None]) -> Split | None:
    """Change who answers, whatever pods write meanwhile; what that is then. None where nothing is to be changed after
    all. Raises `Answer`, `Unreadable`, and what `change_it` raises."""
    for attempt in range(TRIES):
        board = board_of(await api.request("GET", api.path("secrets", name)))
        if (split := change_it(board)) is None:
            return None
        body = change({SPLIT: split.model_dump_json()})
        body["metadata"] = {"resourceVersion": board.version}
        try:
            await api.request("PATCH", api.path("secrets", name), body, content=MERGE_PATCH, parse=False)
            return split
        except Answer as answer:
            if answer.status != 409 or attempt == TRIES - 1:
                raise
    raise AssertionError
