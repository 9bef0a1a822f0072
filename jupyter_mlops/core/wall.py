"""The wall: what users' pods cost, in books that no user can reach, and who of them has no money left.

Whoever keeps these books looks at the pods itself, every few seconds, and asks nobody what they cost. What belongs
together has a *tab*: a cluster, or all else that an owner runs in a namespace. Its accounts hold money for it ahead, as
they do for a cluster that asks itself, so that a newcomer can't spend what others live on.

All of it is arithmetic. Each look begins with the books that the one before left. So nothing is lost with who keeps
them: what ran while nobody looked is counted at the next look.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .account import HELD, AccountBook, AccountState, Ask, Hold, paid, step_of
from .base import Label, Record, Seconds, Time
from .budget import LOOKED_UP, BudgetStep
from .formats import FORMAT
from .price import HOUR, ROUNDING, Currency
from .profile import Limits, Place
from .rules import HeldRules, Rules, rules_for

#: Seconds between two looks.
LOOK: Seconds = 10.0

#: Seconds that are paid for when a cluster is told to stop; of these, how many it has to do so by itself.
STOP: Seconds = 150.0
PATIENCE: Seconds = 90.0

#: Seconds for which a tab is kept on which nothing runs. Those of owners with an empty account are kept beyond.
_KEPT: Seconds = 3600.0

#: How many tabs an owner may have in a namespace: what has more names than that is on one tab.
_MOST_TABS = 200

#: An account that has less than this part of its limit free is empty.
_EMPTY = 0.01

#: Who has spent what was spent by tabs that are kept no more.
_EARLIER = "earlier"

_PLACE: Place = "kubernetes"

_FINE: BudgetStep = "fine"


class RunningPod(NamedTuple):
    """A pod that has a node, as somebody looked at it.

    `tab` is what it belongs to in its namespace: "ada/cluster flights", "ada/pods". An hour of it costs `per_hour`,
    which is assumed where it isn't `priced`; it counts from `since`, and until `until` where it has ended.
    """

    id: str
    owner: str
    tab: str
    since: Time
    until: Time | None
    per_hour: float
    priced: bool = True


class Tab(Record):
    """What something has cost in all, and what an hour of each of its `pods` costs, by id, since the last look.

    `settled` is what of `total` its accounts were told. `unpriced` is since when a pod of it has had no price.
    `account` is the one that it may use up first, `step` what that leaves it, `stopped` since when that is nothing.
    """

    owner: Label
    total: float = 0.0
    settled: float = 0.0
    pods: dict[str, float] = {}
    seen: Time = 0.0
    unpriced: Time | None = None
    account: Label = ""
    step: BudgetStep = "fine"
    stopped: Time | None = None

    @property
    def per_hour(self) -> float:
        """What an hour of what runs costs."""
        return math.fsum(self.pods.values())

    def counted(self, running: Sequence[RunningPod], before: Time, now: Time) -> Tab:
        """The tab after a look: what was there `before`, and what is there `now`. What vanished in between may have run
        until now, but isn't taken to have run on for longer than money is held ahead."""
        found = {pod.id for pod in running}
        gone = math.fsum(rate for pod, rate in self.pods.items() if pod not in found)
        spent = [gone * min(now - before, HELD)]
        for pod in running:
            since = before if pod.id in self.pods else max(before, pod.since)
            until = now if pod.until is None else min(now, pod.until)
            spent.append(pod.per_hour * max(0.0, until - since))
        alive = [pod for pod in running if pod.until is None]
        unpriced = None if all(pod.priced for pod in alive) else now if self.unpriced is None else self.unpriced
        update = {
            "total": self.total + math.fsum(spent) / HOUR,
            "pods": {pod.id: pod.per_hour for pod in alive},
            "seen": now if alive or not self.seen else self.seen,
            "unpriced": unpriced,
        }
        return self.model_copy(update=update)


class WallBooks(Record):
    """All that is known of what was spent: the `tabs`, by namespace, owner and what it is, and the `accounts` of the
    rules, by name.

    `looked` is when the pods of each namespace were looked at last; money is in `currency`.
    """

    format: int = FORMAT
    currency: Currency = "USD"
    looked: dict[str, Time] = {}
    tabs: dict[str, Tab] = {}
    accounts: dict[str, AccountBook] = {}

    def count(self, space: str, running: Iterable[RunningPod], now: Time) -> WallBooks:
        """The books after a look at a namespace. What was there at the first one counts from then on. A clock that goes
        back adds nothing."""
        before = self.looked.get(space, now)
        now = max(now, before)
        by_tab: dict[str, list[RunningPod]] = {name: [] for name in self.tabs_in(space)}
        for pod in running:
            by_tab.setdefault(self._tab_of(space, pod, by_tab), []).append(pod)
        tabs = dict(self.tabs)
        for name, pods in by_tab.items():
            tab = tabs.get(name) or Tab(owner=pods[0].owner)
            tabs[name] = tab.counted(pods, before, now)
        return self.model_copy(update={"tabs": tabs, "looked": {**self.looked, space: now}})

    def leave(self, space: str, now: Time) -> WallBooks:
        """The books without a namespace that is gone, or isn't behind the wall any more."""
        books = self.count(space, [], now)
        return books.model_copy(update={"looked": {name: at for name, at in books.looked.items() if name != space}})

    def settle(self, rules: Rules, now: Time) -> WallBooks:
        """The books when the accounts have paid for what was counted, and hold money for what runs. Who holds some
        already comes first."""
        accounts = {name: book.at(now) for name, book in self.accounts.items()}
        accounts = {name: book for name, book in accounts.items() if book.spent or book.held(now)}
        holding = {who for book in accounts.values() for who, hold in book.holds.items() if hold.held > 0}
        tabs: dict[str, Tab] = {}
        for name in sorted(self.tabs, key=lambda name: (name not in holding, name)):
            tab, held = self.tabs[name], rules_for([rules], self.tabs[name].owner, _PLACE)
            for rule in held.accounts(tab.owner):
                book = _within(accounts.get(rule.name, rule).ruled_by(rule), now)
                accounts[rule.name] = _asked(book, name, tab, now)
            books = [accounts[rule.name] for rule in held.accounts(tab.owner)]
            if tab.pods or now - tab.seen < _KEPT or any(_is_empty(book, now) for book in books):
                tabs[name] = _judged(tab, name, books, held, now)
            else:
                accounts = {each: _without(book, name) for each, book in accounts.items()}
        return self.model_copy(update={"tabs": tabs, "accounts": accounts})

    def state(self, name: str, now: Time) -> AccountState | None:
        """What the tab of that name has of the account that it may use up first; None where no account pays for it."""
        tab = self.tabs[name]
        book = self.accounts.get(tab.account)
        if book is None:
            return None
        book, rate, held = book.at(now), tab.per_hour, book.holds.get(name, Hold()).held
        return AccountState(
            name=book.name,
            limit=book.limit,
            spent=book.spent,
            held=book.held(now),
            left=held,
            currency=book.currency,
            step=tab.step,
            until=now + (held + book.free(now)) / rate * HOUR if rate > 0 else None,
            sentence=f"{self._why(tab, book, now)} (as the wall around this namespace has counted it)",
        )

    def tabs_in(self, space: str) -> list[str]:
        """The names of the tabs of a namespace."""
        return [name for name in self.tabs if space_of(name) == space]

    def closed(self, rules: Rules, now: Time) -> list[str]:
        """The owners who get no new pods: an account of theirs is empty, and pays for nothing that they run."""
        owners = {tab.owner for tab in self.tabs.values()}
        living = {tab.owner for tab in self.tabs.values() if tab.pods and tab.step == "fine"}
        return sorted(owner for owner in owners - living if self._is_empty(owner, rules, now))

    def _is_empty(self, owner: str, rules: Rules, now: Time) -> bool:
        names = [rule.name for rule in rules_for([rules], owner, _PLACE).accounts(owner)]
        books = [self.accounts[name] for name in names if name in self.accounts]
        return any(_is_empty(book, now) for book in books)

    def _tab_of(self, space: str, pod: RunningPod, tabs: Mapping[str, object]) -> str:
        """The name of the tab that a pod is on, beside those that there are already."""
        name = f"{space}/{pod.tab}"
        owner = name.rpartition("/")[0]
        common = f"{owner}/pods"
        if common in self.tabs and pod.id in self.tabs[common].pods:
            return common  # it stays where it is, though there is room now
        is_new = name not in tabs
        return common if is_new and sum(each.startswith(f"{owner}/") for each in tabs) >= _MOST_TABS else name

    def _why(self, tab: Tab, book: AccountBook, now: Time) -> str:
        if tab.step == "stop" and _is_unbounded(tab, now):
            return f"Account {book.name!r} can't be kept with pods whose nodes have no price"
        return book.told(tab.step, now)


def space_of(name: str) -> str:
    """The namespace of the tab of that name."""
    return name.partition("/")[0]


def _asked(book: AccountBook, name: str, tab: Tab, now: Time) -> AccountBook:
    """The account after it paid for what is new on a tab, and held what its pods cost next."""
    if name not in book.holds:
        if tab.total == tab.settled and not tab.pods:
            return book
        book = book.with_hold(name, Hold(total=tab.settled, begun=True))
    number = book.holds[name].number + 1
    return book.take(name, Ask(number, tab.total, paid(tab.per_hour, HELD, None)), now)


def _within(book: AccountBook, now: Time) -> AccountBook:
    """The account, of which no more is held than it has: its limit may have been lowered. All give back alike."""
    held, left = book.held(now), max(0.0, book.limit - book.spent)
    if held <= left * (1 + ROUNDING):
        return book
    holds = {who: hold.model_copy(update={"held": hold.held * left / held}) for who, hold in book.holds.items()}
    return book.model_copy(update={"holds": holds})


def _judged(tab: Tab, name: str, books: Sequence[AccountBook], held: HeldRules, now: Time) -> Tab:
    """The tab with what its accounts leave it."""
    account, step = "", _FINE
    if books:
        nearest = min(books, key=lambda book: book.holds.get(name, Hold()).held)
        account = nearest.name
        step = step_of(nearest.holds.get(name, Hold()).held, tab.per_hour, None, STOP)
        step = _FINE if step == "no growth" else step  # who grows is drained the sooner
        if held.narrowed(Limits()).unknown_price == "refuse" and _is_unbounded(tab, now):
            step = "stop"
    stopped = None if step != "stop" else now if tab.stopped is None else tab.stopped
    return tab.model_copy(update={"account": account, "step": step, "stopped": stopped, "settled": tab.total})


def _is_empty(book: AccountBook, now: Time) -> bool:
    """Whether so little of an account is free that nothing new is begun with it."""
    return book.at(now).free(now) <= _EMPTY * book.limit


def _is_unbounded(tab: Tab, now: Time) -> bool:
    """Whether pods of it have been without a price for longer than it takes to look that up."""
    return tab.unpriced is not None and now - tab.unpriced > LOOKED_UP


def _without(book: AccountBook, name: str) -> AccountBook:
    """The account without a tab; what that has spent stays spent."""
    hold = book.holds.get(name)
    if hold is None:
        return book
    holds: Mapping[str, Hold] = {who: each for who, each in book.holds.items() if who != name}
    earlier = holds.get(_EARLIER, Hold(begun=True))
    spent = {"spent": earlier.spent + hold.spent, "total": earlier.total + hold.spent}
    return book.model_copy(update={"holds": {**holds, _EARLIER: earlier.model_copy(update=spent)}})
