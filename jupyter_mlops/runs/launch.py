"""From code, items and options to a run that is under way."""

from __future__ import annotations

import getpass
import os
import secrets
import time
from pathlib import Path
from typing import Any

from .. import backends
from ..controller.agent.versions import versions_of
from ..controller.runs.results import SMALL
from ..core.run import Origin, RunState
from .choose import Say, choose
from .driving.collected import Collected
from .driving.drive import Drive
from .driving.items import Items, Partitions, Sliced, Streamed, items_of
from .driving.mailbox import Mailbox
from .driving.mapping import MapDrive
from .driving.partitions import PartitionDrive
from .driving.single import OneTask
from .options import Options
from .packages.sync import agree
from .portal import portal
from .record import Payload, folder_of, not_kept
from .run import Run
from .session import Session
from .shipping.shipment import Shipment

#: Characters of the code that a record keeps.
CODE = 20_000

Items_ = Items | Partitions


def launch(
    shipment: Shipment,
    values: Any,
    options: Options,
    origin: Origin,
    say: Say,
) -> Run:
    """Start a run; `values` are a map's items, None otherwise. Returns as soon as it is sent on its way.

    Raises
    ------
    InvalidItems, UnknownCluster, UnknownGroup, OutOfRange, VersionMismatch, StartFailed, ClusterUnreachable
    """
    items = items_of(values) if shipment.head["kind"] == "map" else None
    if options.detach and isinstance(items, Streamed):
        items = Sliced(list(items.rest()))
    prepared = portal().call(_prepare(shipment, items, options, origin, say))
    run = Run(prepared)
    run.start()
    if options.detach:
        prepared.sent.wait()
        run.check()
    return run


async def _prepare(shipment: Shipment, items: Items_ | None, options: Options, origin: Origin, say: Say) -> Drive:
    workers = options.workers if isinstance(options.workers, int) else None
    session = await choose(options.cluster, say, workers, options.group)
    await session.link.ready_for_runs()
    await _scale(session, options)
    if note := await agree(session, shipment.packages, shipment.inner, options.sync):
        say(f"{note[:1].upper()}{note[1:]}")
    run = secrets.token_hex(6)
    state = _state(run, session, shipment, items, options, origin)
    _complete(shipment, state, options, session)
    return _drive(session, state, shipment, items)


async def _scale(session: Session, options: Options) -> None:
    if options.group is not None and options.workers is None:
        (await session.backend.spec(session.name)).profile.group(options.group)
    if isinstance(options.workers, int):
        await session.link.scale(options.workers, options.group)
    elif options.workers is not None:
        await session.link.adapt(*options.workers, options.group)


def _state(
    run: str, session: Session, shipment: Shipment, items: Items_ | None, options: Options, origin: Origin
) -> RunState:
    kind = shipment.head["kind"]
    local = session.backend.place == "local"
    return RunState(
        id=run,
        name=options.name or name_of(shipment.code) or kind,
        kind=kind,
        cluster=session.name,
        group=options.group,
        owner=getpass.getuser(),
        created=time.time(),
        code=shipment.code[:CODE],
        options=options.recorded(),
        variables=shipment.variables,
        versions=versions_of(sorted(shipment.packages)),
        origin=origin,
        detached=options.detach,
        total=items.total if items is not None else 1,
        kept=options.detach and local,
    )


def _complete(shipment: Shipment, state: RunState, options: Options, session: Session) -> None:
    folder = ""
    if state.kept:
        folder = str(backends.home.private(folder_of(state.id) / "result"))
    shipment.head |= {
        "run": state.id,
        "retries": options.retries,
        "on_error": options.on_error,
        "keep": options.keep,
        "folder": folder,
        "small": SMALL if state.detached and not state.kept else 0,
    }


def _drive(session: Session, state: RunState, shipment: Shipment, items: Items_ | None) -> Drive:
    mailbox = Mailbox()
    if items is None:
        payload = Payload(state.id, shipment.head, shipment.bigs)
        payload.finish()
        return OneTask(session, state, shipment, mailbox)
    collected = Collected(keep=not isinstance(items, Streamed))
    if isinstance(items, Partitions):
        if items.computed:
            not_kept(state.id, "it was computed before, and is in the memory of its cluster only")
        else:
            payload = Payload(state.id, shipment.head, shipment.bigs)
            payload.add_partitions(items.parts)
            payload.finish()
        return PartitionDrive(session, state, shipment, mailbox, items, collected)
    payload = Payload(state.id, shipment.head, shipment.bigs)
    return MapDrive(session, state, shipment, mailbox, items, collected, payload)


def name_of(code: str) -> str:
    """A name for code that was given none: its first comment or line."""
    for line in code.splitlines():
        text = line.strip().lstrip("#").strip()
        if text:
            return text if len(text) <= 40 else text[:39] + "…"
    return ""


def origin_of_kernel() -> Origin:
    """The notebook and kernel that this process serves, and the cell that it runs now."""
    notebook = os.environ.get("JPY_SESSION_NAME", "")
    cell = kernel = ""
    try:
        from IPython import get_ipython

        shell = get_ipython()
        app = getattr(shell, "kernel", None)
        if app is not None:
            header = app.get_parent("shell") if hasattr(app, "get_parent") else {}
            cell = str((header.get("metadata") or {}).get("cellId", ""))
            kernel = str(Path(app.config.get("IPKernelApp", {}).get("connection_file", "")).stem).removeprefix(
                "kernel-"
            )
    except ImportError:  # not in a notebook
        pass
    return Origin(notebook=notebook, cell=cell, kernel=kernel)
