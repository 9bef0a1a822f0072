"""What is left of a cluster whose scheduler is gone without having said goodbye: its end is written in its place."""

from __future__ import annotations

import contextlib
import shutil
import time

from ... import home
from ...core.base import Time, read_word
from ...core.cluster import ClusterSpec, EndCause, Event, Receipt
from ...core.errors import MlopsError, Unreadable
from ...core.ledger import Ledger, LedgerEntry
from ...core.price import Cost
from ...core.receipt import receipt_of
from ...core.run import RunState
from ...core.spend import SpendEntry
from ...home.clusters import EVENTS, LEDGER, RUNS, SPEND
from . import processes
from .folder import Folder
from .record import LocalRecord


def settle(
    folder: Folder,
    spec: ClusterSpec,
    record: LocalRecord | None,
    cause: EndCause | None = None,
    why: str = "",
    ended: Time | None = None,
) -> Receipt:
    """Kill what is left of the cluster in `folder`, and write its receipt from its ledger.

    Parameters
    ----------
    record : None when it can't be read.
    cause, why : for what it was ended just now; None: what the record and the folder tell.
    ended : when, if its processes can't be seen, and somebody says that they are gone; then its work folder is left as
        it is. None: just now, if it was ended by force, else with the last sign of life.

    A receipt that can't be written (a full disk) is returned all the same, and made again the next time.

    Raises
    ------
    Unreadable : the ledger can't be read now; nothing is written.
    """
    if record is not None and record.distance == "here":
        processes.kill_cluster(record.mark)
    by_force = cause is not None or (record is not None and record.cause != "")
    if cause is None:
        assert record is not None  # that it was found gone was told by its record
        cause, why = _cause(folder, record)
    seen = ended is None
    if ended is None:
        ended = time.time() if by_force else folder.heartbeat()
    ended = max(ended, spec.created)
    ledger = Ledger(folder.lines(LEDGER, LedgerEntry))
    runs = len({run.id for run in folder.lines(RUNS, RunState)})
    spent: list[SpendEntry] = []
    with contextlib.suppress(Unreadable):  # what it cost counts, also where nobody knows for what
        spent = folder.lines(SPEND, SpendEntry)
    receipt = receipt_of(ledger, spec, ended, cause, why, spent=spent, runs=runs)
    folder.release()
    with contextlib.suppress(MlopsError):  # what is in memory is right; the next look writes it
        folder.write_receipt(receipt)
        _tell(folder, receipt)
    if seen:
        shutil.rmtree(folder.work, ignore_errors=True)
    return receipt


def cost_now(folder: Folder, spec: ClusterSpec, now: Time) -> Cost:
    """What a live cluster has cost so far, from its ledger; unknown where that can't be read."""
    try:
        return Ledger(folder.lines(LEDGER, LedgerEntry)).cost(spec.price, now)
    except Unreadable:
        return Cost()


def _cause(folder: Folder, record: LocalRecord) -> tuple[EndCause, str]:
    if record.cause:
        return read_word(EndCause, record.cause), record.why
    if record.distance == "before":
        return "machine restarted", "this machine was restarted while it ran"
    if record.distance == "beside":
        return "killed", "the container that it ran in has ended"
    if record.phase == "starting":
        last = [line for line in folder.log(None, 20) or [] if line.strip()]
        return "failed", last[-1].strip() if last else "its scheduler ended before it was ready"
    return "killed", "its scheduler was ended from outside"


def _tell(folder: Folder, receipt: Receipt) -> None:
    events = folder.lines(EVENTS, Event)
    event = Event(
        seq=events[-1].seq + 1 if events else 1,
        time=receipt.ended,
        kind="cluster",
        text=f"Ended ({receipt.cause}): {receipt.why}" if receipt.why else f"Ended ({receipt.cause})",
    )
    home.append(folder.path / EVENTS, [event])
