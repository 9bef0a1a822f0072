"""What a controller of another version answers is understood as far as it can be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from distributed import Scheduler, rpc

from jupyter_mlops.core.base import read_record
from jupyter_mlops.core.cluster import Receipt
from jupyter_mlops.core.errors import MlopsError, Unreadable
from jupyter_mlops.core.run import RunState
from jupyter_mlops.home.clusters import RECEIPT

from ..controller.cluster import Cluster, cluster, folder_of, make_spec, until
from .example import TABLES

RUN = RunState(id="0123456789ab", name="sum", kind="cell", cluster="c", owner="me", created=1.0)

#: Parts of answers without which nothing can be made of them.
NEEDED = {"ok", "seq", "state", "run", "name", "place", "profile", "owner", "phase", "created", "cluster", "id", "kind"}


def answers_changed(scheduler: Scheduler, change: Callable[[Any], Any]) -> None:
    """From now on the scheduler's answers to links are changed on their way."""

    def changed(handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def answer(*args: Any, **kwargs: Any) -> Any:
            return change(await handler(*args, **kwargs))

        return answer

    own = {name: changed(handler) for name, handler in scheduler.handlers.items() if name.startswith("mlops_")}
    del own["mlops_run_parts"]  # its answer is a table, from a part's key to its size
    scheduler.handlers.update(own)


def newer(answer: Any) -> Any:
    """With fields and words that are not known here, and rows of a sort that can't be read."""
    if isinstance(answer, list):
        return [newer(each) for each in answer] + ([{"of": "a newer version"}] if answer and _rows(answer) else [])
    if not isinstance(answer, dict):
        return answer
    words = {"kind": "a-new-kind", "phase": "a-new-phase", "cause": "a-new-cause"}
    told = {
        key: words[key] if key in words and value else value if key in TABLES else newer(value)
        for key, value in answer.items()
    }
    return {**told, "of_a_newer_version": {"deep": 1}}


def _rows(answer: list[Any]) -> bool:
    return isinstance(answer[0], dict) and "adaptive" not in answer[0] and "wanted" not in answer[0]


def older(answer: Any) -> Any:
    """Without all that may be missing."""
    if isinstance(answer, list):
        return [older(each) for each in answer]
    if not isinstance(answer, dict):
        return answer
    return {key: older(value) for key, value in answer.items() if key in NEEDED}


def _instead(answer: Any, _: Any) -> Any:
    return answer


async def ask_everything(c: Cluster) -> None:
    view = await c.link.view()
    assert (view.state.name, view.state.phase) == ("c", "running")
    await c.link.watch(view.seq, 0.1)
    await c.link.timeline()
    await c.link.scale(1)
    await c.link.adapt(0, 2)
    assert (await c.link.open_run(RUN)).id == RUN.id
    assert (await c.link.watch_run(RUN.id, 0, 0)).run.id == RUN.id
    await c.link.run_parts(RUN.id)
    assert (await c.link.run_curves(RUN.id)).curves == []
    assert await c.link.run_stacks(RUN.id) == []
    assert (await c.link.run_points(RUN.id))[1] == []
    assert (await c.link.close_run(RUN.id, "done")).id == RUN.id
    await c.link.logs()


async def test_a_newer_controller_s_answers_are_read(tmp_path: Path) -> None:
    async with cluster(make_spec(), tmp_path) as c:
        await c.have(2)
        await until(lambda: any("joined" in event.text for event in c.controller.events.all()))
        before = await c.link.view()
        answers_changed(c.scheduler, newer)
        view = await c.link.view()
        assert [worker.name for worker in view.workers] == [worker.name for worker in before.workers]
        assert [event.text for event in view.events] == [event.text for event in before.events]
        assert {event.kind for event in view.events} == {"cluster"}
        assert {worker.phase for worker in view.workers} == {"busy"}
        await ask_everything(c)


async def test_an_older_controller_s_answers_are_read(tmp_path: Path) -> None:
    async with cluster(make_spec(), tmp_path) as c:
        answers_changed(c.scheduler, older)
        assert (await c.link.view()).workers == []
        await ask_everything(c)


async def test_a_newer_kernel_s_run_and_end_are_taken(tmp_path: Path) -> None:
    async with cluster(make_spec(), tmp_path) as c:
        call = rpc(c.scheduler.address)
        run = {**RUN.model_dump(), "kind": "federated", "sites": 4, "origin": {"notebook": "a.ipynb", "branch": "x"}}
        answer = await call.mlops_open_run(run=run)
        assert answer["format"] == 1 and answer["ok"]["kind"] == "function"
        assert answer["ok"]["origin"]["notebook"] == "a.ipynb"
        refused = await call.mlops_scale(workers=1, gently=True)
        assert refused["error"] == "InvalidSpec" and "'gently' is not a known field" in refused["why"]
        await call.mlops_stop(cause="quota", why="the team's is used up", by="ada")
        await call.close_rpc()
        receipt = folder_of(tmp_path) / RECEIPT
        await until(receipt.exists)
        assert read_record(Receipt, receipt.read_bytes()).cause == "other"


async def test_what_can_not_be_understood_is_said(tmp_path: Path) -> None:
    async with cluster(make_spec(), tmp_path) as c:
        handlers = dict(c.scheduler.handlers)
        answers: list[Any] = [{}, {"ok": []}, {"ok": {"seq": 1}}, {"ok": {"seq": 1, "state": "fine"}}]
        for answer in answers:
            answers_changed(c.scheduler, partial(_instead, answer))
            with pytest.raises(Unreadable):
                await c.link.view()
            c.scheduler.handlers.update(handlers)
        answers_changed(c.scheduler, lambda _: {"error": "ANewError", "what": "It can't be done", "how": 1})
        with pytest.raises(MlopsError, match="It can't be done"):
            await c.link.view()
        c.scheduler.handlers.update(handlers)
