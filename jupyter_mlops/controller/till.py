"""Keeps money held for the cluster in its accounts, and says what it can pay for."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..core.account import (
    HELD,
    RENEWED,
    AccountBook,
    AccountState,
    AccountStore,
    Ask,
    Hold,
    holder_of,
    paid,
    refusal,
    step_of,
)
from ..core.base import Seconds, Time
from ..core.budget import Budget
from ..core.cluster import ClusterSpec, Problem
from ..core.errors import MlopsError
from ..core.price import HOUR, ROUNDING
from ..core.words import count, listed
from .background import Background

#: Seconds between two asks while all is paid for, so that what was spent is known; and while money is lacking.
REPORT: Seconds = 300.0
AGAIN: Seconds = 15.0

#: Money that is not worth an ask to be given back.
_LITTLE = 0.01

logger = logging.getLogger("distributed.scheduler.mlops")


class _Answer(NamedTuple):
    """An account as it was when it answered last, and what the cluster has of it."""

    book: AccountBook
    hold: Hold


class Till:
    """Asks the accounts of a cluster for money before it is spent: for what it costs now, and before it grows.

    While the accounts can't be reached, the cluster goes on with what it holds, and no longer.

    Parameters
    ----------
    spec : names the accounts, the rules, and what an hour of a worker may cost.
    store : has the accounts; None where the place keeps none.
    clock : seconds since the epoch.
    taken : what the cluster has cost, and costs an hour, as of a budget.
    wanted : how many workers are wanted, by group.
    life : seconds that it may still live; None where that isn't bounded.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        store: AccountStore | None,
        clock: Callable[[], Time],
        *,
        taken: Callable[[], Budget],
        wanted: Callable[[], Mapping[str, int]],
        life: Callable[[], Seconds | None],
    ) -> None:
        self._who = holder_of(spec.name, spec.created)
        self._rules, self._rates, self._currency = spec.rules, spec.rates, spec.price.currency
        self._store = store
        self._names = [] if store is None else list(spec.accounts)
        self._clock, self._taken, self._wanted, self._life = clock, taken, wanted, life
        self._background = Background()
        self._lock = asyncio.Lock()
        self._answers: dict[str, _Answer] = {}
        #: What an hour would cost of what can't be paid for yet, and what of it was asked for last.
        self._wish = self._asked_for = 0.0
        self._asked: Time = -math.inf
        #: Why the accounts don't answer; what of the work's growth they can't pay for, and when it was wanted last.
        self._silence: Problem | None = None
        self._refused: Problem | None = None
        self._noted: Time = -math.inf

    @property
    def problem(self) -> Problem | None:
        """What a person has to know."""
        wanted = abs(self._clock() - self._noted) < AGAIN
        return self._silence or (self._refused if wanted else None)

    async def open(self) -> None:
        """Take over what was held for the start, or by an earlier scheduler of this cluster."""
        held = paid(self._rate(), HELD, self._life())
        for name in self._names:  # until it answers
            start = Hold(total=self._total(), held=held)
            self._answers[name] = _Answer(AccountBook(name=name, limit=held, currency=self._currency), start)
        if self._names:
            await self._renew()

    def look(self) -> None:
        """Hold more, if it is time for it. Never waits."""
        if self._names and self._due():
            self._asked = self._clock()
            self._background.spawn(self._renew())

    async def afford(self, group: str, workers: int) -> None:
        """Hold what the cluster costs with so many workers in a group.

        Raises
        ------
        Refused : an account can't pay for it, or a rule forbids it.
        Unavailable : the accounts don't answer.
        """
        wanted = dict(self._wanted())
        if workers <= wanted[group]:
            return
        wanted[group] = workers
        rate = self._rate_of(wanted)
        self._rules.check_workers(sum(wanted.values()))
        self._rules.check_rate(rate, self._currency)
        if not self._names:
            return
        least = paid(rate, RENEWED, self._life())
        lacks = await self._ask(rate)
        if lacks is not None:
            what = f"The cluster can't have {count(workers, 'worker')} of group {group!r}"
            raise refusal(what, lacks, self._workers(wanted), rate, least, self._one(group), self._clock(), self.left)

    def payable(self, group: str, workers: int) -> int:
        """How many of `workers` that the work needs of a group may be there now. What isn't held for yet is asked for,
        so that more may be there in a moment."""
        wanted, allowed = dict(self._wanted()), self._allowed(group, workers)
        one, base = self._one(group), self._rate_of({**wanted, group: 0})
        if not self._names or one <= 0:
            return allowed
        has = math.floor((self.left / self._unit - base) / one)
        asked = self.affordable(group, workers)
        self._wish = base + asked * one if asked > has else 0.0
        self._note(group, allowed, asked, {**wanted, group: allowed})
        return max(0, min(asked, has))

    def affordable(self, group: str, workers: int) -> int:
        """How many of `workers` of a group may be there once all is held for them that the accounts have."""
        allowed, one, now = self._allowed(group, workers), self._one(group), self._clock()
        if not self._names or one <= 0:
            return allowed
        base = self._rate_of({**self._wanted(), group: 0})
        rooms = [answer.hold.most - self._total() + answer.book.free(now) for answer in self._answers.values()]
        return max(0, min(allowed, math.floor((min(rooms, default=self.left) / self._unit - base) / one)))

    def _allowed(self, group: str, workers: int) -> int:
        """How many of them the rules allow."""
        wanted = dict(self._wanted())
        one, base = self._one(group), self._rate_of({**wanted, group: 0})
        allowed = self._rules.most_workers(sum(wanted.values()) - wanted[group], workers)
        most = self._rules.most_per_hour()
        if most is not None and one > 0:
            allowed = min(allowed, math.floor((most - base) / one + ROUNDING))
        return allowed

    @property
    def _unit(self) -> float:
        """Money that is to be held for something that costs 1 an hour."""
        return paid(1.0, RENEWED, self._life())

    @property
    def left(self) -> float:
        """What may be spent without asking."""
        return min((answer.hold.most for answer in self._answers.values()), default=math.inf) - self._total()

    def state(self) -> AccountState | None:
        """What it has of the account that it may use up first; None where it has none."""
        if not self._answers:
            return None
        taken, now, rate = self._taken(), self._clock(), self._rate()
        answer = min(self._answers.values(), key=lambda answer: answer.hold.most)
        book, left = answer.book.at(now), self.left
        since = min(answer.hold.held, max(0.0, taken.spent + taken.assumed - answer.hold.total))  # it answered
        step = "stop" if taken.unbounded else step_of(left, rate, self._life())
        said = book.told(step, now)
        if taken.unbounded:
            said = f"Account {book.name!r} can't be kept with workers without a price"
        return AccountState(
            name=book.name,
            limit=book.limit,
            spent=book.spent + since,
            held=max(0.0, book.held(now) - since),
            left=max(0.0, left),
            currency=book.currency,
            step=step,
            until=now + max(0.0, left + book.free(now)) / rate * HOUR if rate > 0 else None,
            sentence=said,
        )

    async def close(self) -> None:
        """Give back what isn't spent: the cluster has ended."""
        await self._background.close()
        total, now = self._total(), self._clock()
        for name in self._names:
            try:
                await self._change(name, lambda book: book.close(self._who, total, now))
            except MlopsError as error:  # whoever needs the money finds the receipt
                logger.warning("The account %s could not be told of the end: %s", name, error)

    def _due(self) -> bool:
        since = abs(self._clock() - self._asked)
        if since >= REPORT or self._wish > self._asked_for:
            return True
        if since < AGAIN:
            return False
        left, life = self.left, self._life()
        lacks = left < paid(self._rate(), (HELD + RENEWED) / 2, life)
        spares = left > paid(self._rate(), 2 * HELD, life) + _LITTLE
        return lacks or spares or self._wish > 0 or self.problem is not None

    async def _renew(self) -> None:
        """Hold what it costs now; and what it would cost with more workers, if that can be had whole."""
        self._asked, self._asked_for = self._clock(), self._wish
        wish, self._wish = self._wish, 0.0  # what is still needed is wished for again
        try:
            if wish <= self._rate() or await self._ask(wish) is not None:
                await self._ask()
        except MlopsError as error:
            logger.warning("The accounts don't answer: %s", error)
            self._silence = Problem.of(error)

    async def _ask(self, growing: float | None = None) -> AccountBook | None:
        """Hold money in all accounts: for what the cluster costs, as far as they can; or, `growing` to so much an hour,
        enough for that. The one that can't pay for it, if there is one: then all hold what they held."""
        async with self._lock:
            total, life = self._total(), self._life()
            usual = Ask(0, total, paid(self._rate(), HELD, life))
            asked = usual
            if growing is not None:
                asked = Ask(0, total, paid(growing, HELD, life), paid(growing, RENEWED, life))
            for number, name in enumerate(self._names):
                if await self._take(name, asked):
                    continue
                for earlier in self._names[:number]:
                    await self._take(earlier, usual)
                self._silence = None
                return self._answers[name].book
            self._silence = None
            return None

    async def _take(self, name: str, ask: Ask) -> bool:
        """Whether an account holds so much now. One that was removed bounds nothing."""
        numbers: list[int] = []  # a change that is tried again is the same ask

        def take(book: AccountBook) -> AccountBook:
            if not numbers:
                numbers.append(book.holds.get(self._who, Hold()).number + 1)
            return book.take(self._who, ask._replace(number=numbers[0]), self._clock())

        before = self._answers[name]
        self._answers[name] = before._replace(hold=before.hold.unanswered(ask))
        book = await self._change(name, take)
        if book is None:
            self._answers.pop(name, None)
            self._names = [other for other in self._names if other != name]
            return True
        hold = book.holds[self._who]
        self._answers[name] = _Answer(book, hold)
        return not hold.short

    async def _change(self, name: str, do: Callable[[AccountBook], AccountBook]) -> AccountBook | None:
        assert self._store is not None
        return await self._store.change(name, lambda book: None if book is None else do(book))

    def _note(self, group: str, needed: int, payable: int, counts: Mapping[str, int]) -> None:
        """Say that the work needs more workers than can be paid for."""
        if payable >= needed:
            self._refused = None
            return
        self._noted = self._clock()
        rate, now = self._rate_of(counts), self._clock()
        book = min(self._answers.values(), key=lambda answer: answer.hold.most + answer.book.free(now)).book
        what = f"The work needs {count(needed, 'worker')} of group {group!r}, and {payable} can be paid for"
        least = paid(rate, RENEWED, self._life())
        error = refusal(what, book, self._workers(counts), rate, least, 0.0, now, self.left)
        if self._refused is None or self._refused.what != what:
            self._refused = Problem.of(error)

    def _total(self) -> float:
        taken = self._taken()
        return taken.spent + taken.assumed

    def _rate(self) -> float:
        """What an hour costs: of the workers that are there, and of those that are wanted."""
        return max(self._taken().per_hour, self._rate_of(self._wanted()))

    def _rate_of(self, workers: Mapping[str, int]) -> float:
        return math.fsum(number * self._one(group) for group, number in workers.items())

    def _one(self, group: str) -> float:
        return self._rates.get(group, 0.0)

    def _workers(self, counts: Mapping[str, int]) -> str:
        return listed([count(number, "worker") for number in counts.values() if number])
