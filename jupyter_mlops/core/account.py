"""Accounts: money for a month that several clusters spend together, and that is held before it is spent.

A cluster *holds* what it will cost for the next minutes, beyond what it has cost so far. What all of them have spent
and hold is never more than the account has, so that they can't overshoot it together, however many there are and
whoever of them looks when. All of it is arithmetic: a store makes each change at once or not at all.

What a cluster tells is what it has cost in all, and each of its asks has a number. So an ask that comes twice, late or
in another order changes nothing, and what somebody else tells of a cluster that ended can't be counted again.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from .base import Label, Record, Saying, Seconds, Time
from .budget import DRAIN, STEPS, BudgetStep
from .errors import Refused
from .formats import FORMAT
from .price import HOUR, ROUNDING, Currency
from .words import count, fine_money, money, per_hour, span

#: Seconds for which money is held, and for how many of them it has to be there still when more is held: the time
#: between is what keeps a cluster from asking for each step of its growth.
HELD: Seconds = 900.0
RENEWED: Seconds = 600.0

#: Seconds that are paid for when a cluster ends: its workers end by then.
END: Seconds = 30.0

#: The least time that is worth a start.
_WORTH: Seconds = 60.0

#: Seconds for which an end is remembered, so that what is told late of a cluster isn't counted once more.
_DAY: Seconds = 86400.0


class Ask(NamedTuple):
    """What a cluster asks of an account.

    `number` counts its asks. It has cost `total` so far, and wants to hold `want` beyond it; less will do, down to
    `least`. `seconds` from now on it asks again. `begun` is set by its controller: until that has asked, nothing of it
    costs anything, and what is held for it comes back by itself when the time is over.
    """

    number: int
    total: float
    want: float
    least: float = 0.0
    seconds: Seconds = HELD
    begun: bool = True


class Hold(Record):
    """What a cluster has of an account: `spent` in this month, of the `total` that it has cost, and `held` beyond it.

    `until` is when it asks again. Who hasn't by then is silent: its money stays held, since it may have been spent,
    until somebody tells what it cost at its end. `short` says that the last ask got less than it needed.
    """

    number: int = 0
    total: float = 0.0
    spent: float = 0.0
    held: float = 0.0
    until: Time = 0.0
    begun: bool = False
    ended: bool = False
    short: bool = False

    def held_at(self, now: Time) -> float:
        """What is held at that time: nothing any more for a start that came to nothing."""
        return self.held if self.begun or now < self.until else 0.0

    @property
    def most(self) -> float:
        """What the cluster may have cost in all by the time it asks again."""
        return self.total + self.held

    def unanswered(self, ask: Ask) -> Hold:
        """What of it is sure once `ask` was sent, for as long as nobody has answered: it may have arrived, and an ask
        for less gives the rest to others."""
        return self.model_copy(update={"held": max(0.0, min(self.most, ask.total + ask.want) - self.total)})


class AccountBook(Record):
    """An account: its `limit` for a month, and what clusters have of it in `month`, by `holder_of`.

    `rule` is the administrator's rule that it is for; empty for one that a user set for herself. Months are those of
    UTC.
    """

    format: int = FORMAT
    name: Label
    limit: float
    currency: Currency = "USD"
    rule: Label = ""
    contact: Saying = ""
    month: str = ""
    holds: dict[str, Hold] = {}

    def at(self, now: Time) -> AccountBook:
        """The same in the month of `now`: nothing is spent when one begins, what is held stays held, but for clusters
        that have been silent for a day. A clock that goes back leads to no month that is over."""
        month = month_of(now)
        if month <= self.month:
            return self
        holds = {
            who: hold.model_copy(update={"spent": 0.0, "held": 0.0 if hold.until + _DAY < now else hold.held})
            for who, hold in self.holds.items()
            if now < hold.until + _DAY or not hold.ended
        }
        return self.model_copy(update={"month": month, "holds": holds})

    @property
    def spent(self) -> float:
        """What was spent in its month."""
        return math.fsum(hold.spent for hold in self.holds.values())

    def held(self, now: Time) -> float:
        """What is held."""
        return math.fsum(hold.held_at(now) for hold in self.holds.values())

    def free(self, now: Time) -> float:
        """What nobody has spent or holds; never negative."""
        return max(0.0, self.limit - self.spent - self.held(now))

    def take(self, who: str, ask: Ask, now: Time) -> AccountBook:
        """The account after an ask; its `holds[who]` is the answer, `short` where less than `least` is free. Then the
        cluster keeps what it holds, less what it has spent of it, and gets no more."""
        book = self.at(now).without_idle(now)
        old = book.holds.get(who, Hold())
        if old.ended or ask.number <= old.number:
            return book
        total = max(old.total, ask.total)
        new = old.model_copy(update={"total": total, "spent": old.spent + total - old.total, "held": 0.0})
        kept = max(0.0, old.held_at(now) - (total - old.total))
        room = book.with_hold(who, new).free(now)
        held = min(ask.want, max(room, kept))
        short = held < ask.least * (1 - ROUNDING)
        update = {
            "number": ask.number,
            "held": kept if short else held,
            "until": now + ask.seconds,
            "begun": old.begun or ask.begun,
            "short": short,
        }
        return book.with_hold(who, new.model_copy(update=update))

    def close(self, who: str, total: float, now: Time) -> AccountBook:
        """The account after the end of a cluster that has cost `total`: what it held is free again."""
        book = self.at(now)
        old = book.holds.get(who)
        if old is None:
            return book
        total = max(old.total, total)
        update = {"total": total, "spent": old.spent + total - old.total, "held": 0.0, "until": now, "ended": True}
        return book.with_hold(who, old.model_copy(update=update))

    def sentence(self, now: Time) -> str:
        """What it has, in words: "$3.10 of $200.00 a month is spent, $4.00 held by 2 clusters"."""
        book = self.at(now)
        said = f"{money(book.spent, self.currency)} of {self._limit} a month is spent"
        holders = sum(hold.held_at(now) > 0 for hold in book.holds.values())
        if not holders:
            return said
        return f"{said}, {fine_money(book.held(now), self.currency)} held by {count(holders, 'cluster')}"

    def told(self, step: BudgetStep, now: Time) -> str:
        """What it has, and what is done about a cluster that has come to `step` with it."""
        does = {
            "no growth": ": no worker is added",
            "drain": ": no task begins any more, those that run may end",
            "stop": ": it can't pay any more",
        }
        return f"Account {self.name!r}: {self.sentence(now)}{does.get(step, '')}"

    def ruled_by(self, rule: AccountBook) -> AccountBook:
        """The same, as `rule` has it now: what is the administrator's may have changed."""
        return self.model_copy(update={name: getattr(rule, name) for name in ("limit", "currency", "rule", "contact")})

    @property
    def raise_it(self) -> str:
        """How it gets more money, in words that go on after "or"."""
        if self.rule:
            return f"ask {self.contact or 'your administrator'} for more (rule {self.rule!r})"
        return "raise the account: jupyter mlops account set AMOUNT"

    @property
    def _limit(self) -> str:
        return fine_money(self.limit, self.currency)

    def without_idle(self, now: Time) -> AccountBook:
        """The same without those that hold nothing and have spent nothing: starts that came to nothing."""
        left = {who: hold for who, hold in self.holds.items() if hold.begun or hold.spent or now < hold.until}
        return self.model_copy(update={"holds": left})

    def with_hold(self, who: str, hold: Hold) -> AccountBook:
        """The same with another hold."""
        return self.model_copy(update={"holds": {**self.holds, who: hold}})


class AccountStore(Protocol):
    """Where the accounts of a place are."""

    async def books(self) -> list[AccountBook]:
        """All accounts, by name."""

    async def change(self, name: str, do: Callable[[AccountBook | None], AccountBook | None]) -> AccountBook | None:
        """Make an account what `do` makes of it: at once or not at all, whoever else does so meanwhile. None is that
        there is none. `do` may be called several times.

        Raises
        ------
        Unreadable : what is stored can't be read, and is left as it is.
        StorageFull, Refused, Unavailable : it can't be stored.
        """


class AccountState(Record):
    """What a cluster has of the account that is nearest to its end: what its card says. Money is in `currency`.

    `left` is what the cluster may still spend without asking; `spent` and `held` are those of the whole account.
    """

    name: Label
    limit: float
    spent: float = 0.0
    held: float = 0.0
    left: float = 0.0
    currency: Currency = "USD"
    step: BudgetStep = "fine"
    until: Time | None = None
    sentence: Saying = ""

    @property
    def used(self) -> str:
        """What is used of it in words: "lab: $3.10 spent, $4.00 held of $200.00 a month"."""
        spent, held = (money(amount, self.currency) for amount in (self.spent, self.held))
        return f"{self.name}: {spent} spent, {held} held of {fine_money(self.limit, self.currency)} a month"


def nearest(one: AccountState | None, other: AccountState | None) -> AccountState | None:
    """The one that leaves a cluster less; the first, where both leave it the same."""
    if one is None or other is None:
        return one or other
    return max((one, other), key=lambda state: STEPS.index(state.step))


def holder_of(name: str, created: Time) -> str:
    """Which cluster holds money, among all that have had its name."""
    return f"{name}~{round(created * 1000):x}"


def month_of(now: Time) -> str:
    """The month of a moment: "2026-11"."""
    return datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y-%m")


def paid(rate: float, seconds: Seconds, life: Seconds | None) -> float:
    """Money for so many seconds at `rate` an hour; for no more than are left of its life, and for its end."""
    return rate / HOUR * (seconds if life is None else min(seconds, max(0.0, life) + END))


def step_of(left: float, rate: float, life: Seconds | None, end: Seconds = END) -> BudgetStep:
    """What is done when a cluster that costs `rate` an hour may spend `left` more, and lives for `life` seconds more.

    "drain" and "stop" are as in a budget's, the latter when it can pay for `end` seconds. "no growth" says that the
    money for the next ten minutes is lacking.
    """
    if rate <= 0:
        return "fine"
    if left <= paid(rate, end, life) * (1 - ROUNDING):
        return "stop"
    if left < paid(rate, DRAIN, life) * (1 - ROUNDING):
        return "drain"
    return "no growth" if left < paid(rate, RENEWED, life) * (1 - ROUNDING) else "fine"


def refusal(
    what: str, book: AccountBook, workers: str, rate: float, need: float, one: float, now: Time, has: float = 0.0
) -> Refused:
    """That an account can't pay for something, with what to do instead.

    Parameters
    ----------
    what : what can't be had, as a sentence.
    workers : who would cost that, in words.
    rate : what they would cost an hour.
    need : money that has to be held for it.
    one : what an hour of one worker costs; 0 where fewer of them are no way out.
    has : what the cluster holds already.
    """
    book = book.at(now)
    free, currency = book.free(now), book.currency
    why = (
        f"{workers} would cost {per_hour(rate, currency)}, for which {fine_money(need, currency)} have to be held; "
        f"the account {book.name!r} has {fine_money(free, currency)} left: {book.sentence(now)}"
    )
    ways, there = [], free + has
    fewer = math.floor(there / need * rate / one) if one > 0 and need > 0 else 0
    if fewer > 0:
        ways.append(f"have {count(fewer, 'worker')}")
    if (seconds := there / rate * HOUR - END) >= _WORTH:
        ways.append(f"give it a lifetime of {span(seconds // 60 * 60)} at most")
    if not ways:
        ways.append("stop a cluster that holds money, or wait for the next month")
    ways.append(book.raise_it)
    todo = ", or ".join(ways)
    return Refused(what, why, f"{todo[0].upper()}{todo[1:]}.")
