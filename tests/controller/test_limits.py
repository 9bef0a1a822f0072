"""Clusters that end by themselves, and those that don't."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from distributed import Client

from jupyter_mlops.controller import lifecycle
from jupyter_mlops.controller.link import ClusterView
from jupyter_mlops.controller.till import Till
from jupyter_mlops.core.account import AccountBook, AccountState
from jupyter_mlops.core.budget import Budget
from jupyter_mlops.core.cluster import EndCause, Receipt
from jupyter_mlops.core.errors import ClusterEnded, ClusterUnreachable, InvalidSpec, OutOfRange, Refused, Unavailable
from jupyter_mlops.core.extend import LimitChange
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Limits
from jupyter_mlops.core.run import RunState
from jupyter_mlops.home.accounts import AccountsFile

from .cluster import MEMORY, PATIENCE, Cluster, HeldClock, cluster, folder_of, make_spec, until

_gate = threading.Event()


def receipt_of(home: Path) -> Receipt:
    return Receipt.model_validate_json((folder_of(home) / "receipt.json").read_text())


async def ended(c: Cluster) -> None:
    await until(lambda: c.scheduler.status.name == "closed", lambda: c.scheduler.status.name)


@pytest.mark.parametrize(
    ("limits", "price", "cause", "word"),
    [
        (Limits(idle_timeout=1), Price(), "idle", "nothing to do for 1 s"),
        (Limits(lifetime=1.5), Price(), "lifetime", "allowed to live for 1.5 s"),
        (Limits(budget=0.001), Price(cpu_hour=3600), "budget", "of a budget of $0.001"),
    ],
)
async def test_a_limit_ends_the_cluster_with_a_receipt(
    tmp_path: Path, limits: Limits, price: Price, cause: EndCause, word: str
) -> None:
    async with cluster(make_spec(limits=limits, price=price), tmp_path) as c:
        await until(lambda: c.controller.lifecycle.stop is not None or c.controller.lifecycle.cause is not None)
        await ended(c)
        assert c.pool.closed
        assert not c.pool.workers
        receipt = receipt_of(tmp_path)
        assert receipt.cause == cause
        assert word in receipt.why
        assert receipt.most_workers == 2
        assert (receipt.cost.amount is None) == (price.cpu_hour is None), "unknown money is not no money"
        assert receipt.cost.usage.worker_hours > 0
        events = [json.loads(line) for line in (folder_of(tmp_path) / "events.jsonl").read_text().splitlines()]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        last = next(event for event in events if event["kind"] == "limit")
        assert word in last["text"]


async def test_the_steps_of_a_budget_and_more_money(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is set on, so that money is spent: a dollar an hour and worker."""
    monkeypatch.setattr(lifecycle, "HOMEWARD", PATIENCE)  # what is done while it is drained may take its time
    moved = 0.0

    def clock() -> float:
        return time.time() + moved

    def spent(amount: float) -> None:
        nonlocal moved
        moved += (amount - (c.controller.ledger.cost().amount or 0)) * 3600

    spec = make_spec(
        Group(workers=1, maximum=2, memory=MEMORY),
        limits=Limits(idle_timeout=None, lifetime=None, budget=10),
        price=Price(cpu_hour=1),
    )
    async with cluster(spec, tmp_path, clock=clock) as c, c.client() as client:
        await c.have(1)
        for amount, step in ((5.2, "half"), (8.2, "warn"), (9.2, "no growth")):
            spent(amount)
            state = (await c.view_when(_at(step))).state
            assert state.budget is not None and state.stop is not None
            assert (state.stop.at, state.stop.cause) == (state.budget.until, "budget")
            events = [event.text for event in (await c.link.view()).events if event.kind == "limit"]
            assert len(events) == len(set(events)) and "$10.00" in events[-1]
        with pytest.raises(Refused, match=r"of a budget of \$10.00 is used, and no worker is added"):
            await c.link.scale(2)
        with pytest.raises(OutOfRange, match=r"The budget can't be \$3.00.*of it is used already"):
            await c.link.limit(LimitChange(budget=3))

        await c.link.limit(LimitChange(more_money=10))
        assert (await c.link.view()).state.limits.budget == 20
        await c.link.scale(2)
        await c.link.scale(1, now=True)
        await c.have(1)

        _gate.clear()
        runs = client.submit(_wait, 1)
        await until(lambda: c.controller.workers.counts["default"]["busy"])
        spent(19.95)
        await c.view_when(_at("drain"))
        waits = client.submit(_wait, 2)
        _gate.set()
        assert await runs is None, "what ran may end"
        await until(lambda: waits.key in c.scheduler.tasks)
        assert c.scheduler.tasks[waits.key].state in ("no-worker", "queued")
        await c.link.limit(LimitChange(more_money=10))
        assert await waits is None, "with more money it goes on"
        spent(29.95)
        with monkeypatch.context() as patch:
            patch.setattr(lifecycle, "HOMEWARD", 1.0)
            await ended(c)
        receipt = receipt_of(tmp_path)
        assert receipt.cause == "budget" and receipt.cost.amount is not None
        assert 29.9 < receipt.cost.amount <= 30, "it was drained before its money was used up"
    async with cluster(spec, tmp_path) as c:
        assert (await c.link.view()).state.limits.budget == 30, "another scheduler knows of it"


def _at(step: str) -> Callable[[ClusterView], bool]:
    return lambda view: view.state.budget is not None and view.state.budget.step == step


async def test_an_account_is_asked_before_anything_is_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is set on, so that money is spent: a dollar an hour and worker, of which 25 cents are held each."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(lifecycle, "HOMEWARD", PATIENCE)  # until it has more money, nothing runs
    store, moved = AccountsFile(), 0.0

    def clock() -> float:
        return time.time() + moved

    async def has(more: float) -> None:
        """The account has so much beyond what is spent."""
        nonlocal moved
        spent = c.controller.ledger.cost().amount or 0
        await store.change("team", lambda book: book and book.model_copy(update={"limit": spent + more}))
        moved += 20  # it is asked again

    def account(is_so: Callable[[AccountState], object]) -> Callable[[ClusterView], object]:
        return lambda view: view.state.account is not None and is_so(view.state.account)

    def step(name: str) -> Callable[[ClusterView], object]:
        return account(lambda found: found.step == name)

    spec = make_spec(
        Group(workers=1, maximum=4, memory=MEMORY), limits=Limits(idle_timeout=None), price=Price(cpu_hour=1)
    ).model_copy(update={"accounts": ["team"], "rates": {"default": 1.0}})
    await store.change("team", lambda _: AccountBook(name="team", limit=0.25, rule="lab", contact="ops"))
    async with cluster(spec, tmp_path, clock=clock, accounts=store) as c, c.client() as client:
        await c.have(1)
        await c.view_when(account(lambda found: found.held + found.spent == pytest.approx(0.25)))
        with pytest.raises(
            Refused, match=r"2 workers would cost \$2.00.*Have 1 worker, or give it a lifetime of . min at most, or ask"
        ):
            await c.link.scale(2)
        moved += 330
        await c.view_when(step("no growth"))
        moved += 300
        view = await c.view_when(step("drain"))
        assert "no task begins any more" in [event.text for event in view.events if event.kind == "limit"][-1]

        await has(0.45)
        await c.view_when(step("fine"))
        await c.link.adapt(1, 4)
        _gate.clear()
        waits = client.map(_wait, range(40), pure=False)
        view = await c.view_when(lambda view: view.state.problem)
        assert view.state.problem is not None
        assert "and 2 can be paid for" in view.state.problem.what, "it grows as far as the money goes"
        await until(lambda: len(c.workers()) == 2)
        await has(5)
        await until(lambda: len(c.workers()) == 4)
        _gate.set()
        await client.gather(waits)

        await has(0)
        moved += 900
        await ended(c)
        assert receipt_of(tmp_path).cause == "budget" and "it can't pay any more" in receipt_of(tmp_path).why
    (book,) = await store.books()
    assert book.held(clock()) == 0 and book.spent == pytest.approx(receipt_of(tmp_path).cost.amount)


class _Forgetful(AccountsFile):
    """Stores what it is told, and doesn't answer while it `forgets` to."""

    forgets = False

    async def change(self, name: str, do: Callable[[AccountBook | None], AccountBook | None]) -> AccountBook | None:
        book = await super().change(name, do)
        if self.forgets:
            raise Unavailable("The answer is lost")
        return book


async def test_what_was_given_back_is_not_spent_though_nobody_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    store, wanted = _Forgetful(), {"default": 4}
    await store.change("team", lambda _: AccountBook(name="team", limit=1.0))
    spec = make_spec().model_copy(update={"accounts": ["team"], "rates": {"default": 1.0}})
    till = Till(spec, store, time.time, taken=lambda: Budget(limit=9), wanted=lambda: wanted, life=lambda: None)
    await till.open()
    assert till.left == pytest.approx(1.0), "four workers for 15 minutes"
    wanted["default"], store.forgets = 1, True
    with pytest.raises(Unavailable, match="The answer is lost"):
        await till.afford("default", 2)
    (book,) = await store.books()
    assert till.left == pytest.approx(0.5) == book.held(time.time()), "others may have the rest"
    store.forgets = False
    await till.close()


async def test_a_budget_that_nobody_can_keep_does_not_end_a_live_cluster(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=1, memory=MEMORY), price=Price(currency="EUR")), tmp_path) as c:
        await c.have(1)
        with pytest.raises(InvalidSpec, match="what a dollar is in EUR"):
            await c.link.limit(LimitChange(budget=3))
        assert (await c.link.view()).state.limits.budget is None


async def test_a_run_says_that_the_budget_stopped_it_and_how_far_it_came(tmp_path: Path) -> None:
    spec = make_spec(Group(workers=0), limits=Limits(budget=0.001), price=Price(cpu_hour=3600))
    async with cluster(spec, tmp_path) as c:
        await c.link.open_run(a_run().model_copy(update={"kind": "map", "total": 40, "done": 10}))
        await c.link.scale(1)
        await ended(c)
        last = (folder_of(tmp_path) / "runs.jsonl").read_text().splitlines()[-1]
        error = RunState.model_validate_json(last).error
        assert "of a budget of $0.001" in error and "10 of 40 items were done, 25%" in error


async def test_the_state_says_when_it_will_stop(tmp_path: Path) -> None:
    async with cluster(make_spec(limits=Limits(idle_timeout=300, lifetime=1000)), tmp_path) as c:
        await until(lambda: c.controller.lifecycle.stop is not None and c.controller.lifecycle.stop.cause == "idle")
        state = (await c.link.view()).state
        assert state.idle_since is not None
        assert state.stop is not None
        assert state.stop.at == pytest.approx(state.idle_since + 300)
        assert state.stop.at < time.time() + 300


@pytest.mark.parametrize("days", [2, -2])
async def test_a_clock_that_is_set_ends_no_cluster_and_keeps_none(tmp_path: Path, days: int) -> None:
    moved = 0.0

    def clock() -> float:
        return time.time() + moved

    limits = Limits(idle_timeout=600, lifetime=1200)
    async with cluster(make_spec(Group(workers=0), limits=limits), tmp_path, clock=clock) as c:
        life = c.controller.lifecycle
        await until(lambda: life.stop is not None and life.stop.cause == "idle")
        moved = days * 86400.0
        await until(lambda: life.stop is not None and abs(life.stop.at - clock() - 600) < 60, lambda: str(life.stop))
        assert life.phase == "running" and life.cause is None
        await c.link.open_run(a_run())  # what is left of its lifetime
        await until(lambda: life.stop is not None and life.stop.cause == "lifetime")
        assert life.stop is not None and life.stop.at - clock() == pytest.approx(1200, abs=60)


def _keeps(name: str) -> Callable[[Cluster, Client], object]:
    def hold(c: Cluster, client: Client) -> object:
        if name == "processing":
            return client.submit(_wait)
        if name == "without a worker":
            return client.submit(_wait, resources={"group:nowhere": 1})
        return client.map(_wait, range(50), pure=False)

    return hold


@pytest.mark.parametrize("what", ["processing", "without a worker", "queued"])
async def test_work_keeps_a_cluster_alive(tmp_path: Path, what: str) -> None:
    _gate.clear()
    clock = HeldClock()
    async with cluster(make_spec(Group(workers=1), limits=Limits(idle_timeout=1)), tmp_path, clock=clock) as c:
        async with c.client() as client:
            work = _keeps(what)(c, client)
            await until(lambda: c.scheduler.tasks and c.controller.lifecycle.idle_since is None)
            clock.go()
            began = time.monotonic()
            await until(lambda: time.monotonic() - began > 2.5)
            assert c.controller.lifecycle.phase == "running"
            assert (await c.link.view()).state.idle_since is None
            _gate.set()
            del work
        await ended(c)
        assert receipt_of(tmp_path).cause == "idle"


async def test_a_client_alone_does_not_keep_it(tmp_path: Path) -> None:
    clock = HeldClock()
    async with cluster(make_spec(Group(workers=0), limits=Limits(idle_timeout=1)), tmp_path, clock=clock) as c:
        client = await c.client()
        clock.go()
        await ended(c)
        await client.close()
        assert receipt_of(tmp_path).cause == "idle"


async def test_a_live_run_keeps_it(tmp_path: Path) -> None:
    spec, clock = make_spec(Group(workers=0), limits=Limits(idle_timeout=1)), HeldClock()
    async with cluster(spec, tmp_path, clock=clock) as c:
        await c.link.open_run(a_run())
        await until(lambda: c.controller.lifecycle.idle_since is None)
        clock.go()
        began = time.monotonic()
        await until(lambda: time.monotonic() - began > 2.5)
        view = await c.link.view()
        assert view.state.idle_since is None
        assert view.state.runs == ["0123456789ab"]
        assert [run.id for run in view.runs] == ["0123456789ab"]
        await c.link.close_run("0123456789ab", "done")
        await ended(c)
        assert receipt_of(tmp_path).runs == 1


async def test_using_it_starts_the_idle_time_anew(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=0), limits=Limits(idle_timeout=3600)), tmp_path) as c:
        await until(lambda: c.controller.lifecycle.idle_since is not None)
        before = time.time()
        await c.link.scale(1)
        await c.have(1)
        await until(lambda: (c.controller.lifecycle.idle_since or 0) >= before)


async def test_stopping_loses_runs_with_a_reason_and_refuses_new_ones(tmp_path: Path) -> None:
    async with cluster(make_spec(), tmp_path) as c:
        await c.have(2)
        await c.link.open_run(a_run())

        async def watch() -> ClusterView:
            view = await c.link.view()
            while view.state.phase == "running":
                view = await c.link.watch(view.seq, timeout=30)
            return view

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        await c.link.stop("user", "the day is over")
        await c.link.stop("user", "again")
        with pytest.raises((ClusterEnded, ClusterUnreachable)):
            await c.link.open_run(a_run("0123456789ac"))
        seen = await watching
        assert seen.state.phase in ("stopping", "ended")
        await ended(c)
        receipt = receipt_of(tmp_path)
        assert (receipt.cause, receipt.why) == ("user", "the day is over")
        lines = (folder_of(tmp_path) / "runs.jsonl").read_text().splitlines()
        states = [RunState.model_validate_json(line) for line in lines]
        assert [state.phase for state in states] == ["starting", "lost"]
        assert "The day is over" in states[-1].error


async def test_a_fault_in_the_end_does_not_keep_it_alive(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with cluster(make_spec(), tmp_path) as c:
        await c.have(2)

        async def broken() -> None:
            raise KeyError("a fault")

        close, c.pool.close = c.pool.close, broken  # type: ignore[method-assign]  # swapped for a broken one
        await c.link.stop()
        await asyncio.wait_for(c.scheduler.finished(), PATIENCE)
        await close()
    assert receipt_of(tmp_path).cause == "user"
    assert "could not be ended in order" in caplog.text


async def test_a_scheduler_that_dask_closes_leaves_a_receipt(tmp_path: Path) -> None:
    async with cluster(make_spec(), tmp_path) as c:
        await c.have(2)
        client = await c.client()
        await client.shutdown()
        await ended(c)
        receipt = receipt_of(tmp_path)
        assert receipt.cause == "user"
        assert "asked to close" in receipt.why
        assert c.pool.closed


def a_run(id: str = "0123456789ab") -> RunState:
    return RunState(id=id, name="clean", kind="cell", cluster="c", owner="me", created=time.time())


def _wait(_: int = 0) -> None:
    assert _gate.wait(PATIENCE)
