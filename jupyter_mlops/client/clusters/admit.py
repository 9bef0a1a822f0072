"""Whether a cluster may be started: by the administrator's rules, and by the accounts that pay for it.

What is admitted holds its money already. Who can't start it then gives that back with `withdraw`; where nobody does,
since the process died, it comes back by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence

from ... import places
from ...core.account import HELD, RENEWED, AccountBook, AccountStore, Ask, Hold, holder_of, paid, refusal
from ...core.base import Seconds
from ...core.budget import check_priced, reference_in
from ...core.cluster import ClusterSpec
from ...core.errors import MlopsError, Refused
from ...core.estimate import worker_at_most
from ...core.profile import Profile
from ...core.rules import HeldRules, rules_for
from ...core.words import count
from ...places import profiles, rules
from ...places.base import Backend
from .accounts import close, settle

#: Seconds that a place has to say what its machines cost.
_PATIENCE: Seconds = 8.0


async def admit(spec: ClusterSpec, asked: Profile) -> ClusterSpec:
    """`spec` with the limits, rules and accounts that the cluster is held to; its money is held from here on.

    Parameters
    ----------
    asked : the profile as it was asked for, before anything was added to it.

    Raises
    ------
    Refused : a rule forbids it, or an account can't pay for it; says what could be had instead.
    InvalidSpec : nobody knows what it costs, and an account has to.
    Unavailable, Unreadable : rules or accounts can't be read.
    """
    profile, backend = spec.profile, places.get(spec.profile.place)
    held = rules_for(await asyncio.to_thread(rules.load), spec.owner, profile.place)
    if held.rules:
        held.check_profile(profile, await asyncio.to_thread(_is_as_stored, asked))
        held.check_workers(sum(group.workers for group in profile.groups))
    store = await backend.accounts(profile)
    books = await _books(store, held, spec)
    if not held.rules and not books:
        return spec
    profile = profile.model_copy(update={"limits": held.narrowed(profile.limits)})
    spec = spec.model_copy(update={"profile": profile})
    rates = await _rates(spec, backend, books)
    rate = math.fsum(rates[group.name] * group.workers for group in profile.groups)
    held.check_rate(rate, spec.price.currency)
    spec = spec.model_copy(update={"rules": held, "accounts": [book.name for book in books], "rates": rates})
    if store is not None and books:
        await _hold(store, backend, spec, rate)
    return spec


async def withdraw(spec: ClusterSpec) -> None:
    """Give back what is held for a cluster that could not be started."""
    store = await places.get(spec.profile.place).accounts(spec.profile) if spec.accounts else None
    if store is not None:
        await close(store, spec.accounts, holder_of(spec.name, spec.created), 0.0)


def _is_as_stored(asked: Profile) -> bool:
    """Whether a profile is what the administrator's file, or the package, has under its name."""
    found = (profile for profile in profiles.all_profiles() if profile.source != "user")
    return any(profile == asked.model_copy(update={"source": profile.source}) for profile in found)


async def _books(store: AccountStore | None, held: HeldRules, spec: ClusterSpec) -> list[AccountBook]:
    """The accounts that the cluster has to hold money of: those of the rules, and its owner's own."""
    ruled = held.accounts(spec.owner)
    if store is None:
        if ruled:
            raise Refused(
                f"Clusters can't be started in the place {spec.profile.place!r}",
                f"the rule {ruled[0].rule!r} gives money by the month, and this place keeps no accounts",
                "Use another place, or let your administrator except this one from the rule.",
            )
        return []
    for book in ruled:
        await store.change(book.name, _ruled_by(book))
    names = {book.name for book in ruled}
    own = [book for book in await store.books() if book.name == spec.owner and not book.rule]
    return [*ruled, *(book for book in own if book.name not in names)]


def _ruled_by(rule: AccountBook) -> Callable[[AccountBook | None], AccountBook]:
    """What a rule makes of its account."""
    return lambda book: rule if book is None else book.ruled_by(rule)


async def _rates(spec: ClusterSpec, backend: Backend, books: Sequence[AccountBook]) -> dict[str, float]:
    """What an hour of a worker may cost, by group."""
    profile, price = spec.profile, spec.price
    for book in books:
        code, other = book.currency, price.currency
        if code != other:
            raise Refused(
                f"The account {book.name!r} can't pay for the cluster",
                f"it has {code}, and the cluster is priced in {other}",
                f"Set your currency to {code} in Settings → Settings Editor → ML Ops.",
            )
        check_priced(
            profile.limits.model_copy(update={"budget": book.limit}), price, spec.reference, listed=backend.prices_hosts
        )
    quotes = await backend.quotes(profile, price, _PATIENCE)
    quoted = {} if quotes is None else {each.group: each for each in quotes.groups}
    assumed = None
    if profile.limits.unknown_price != "ignore":
        assumed = reference_in(price.currency, spec.reference)
    return {group.name: worker_at_most(group, quoted.get(group.name), price, assumed) for group in profile.groups}


async def _hold(store: AccountStore, backend: Backend, spec: ClusterSpec, rate: float) -> None:
    """Hold what the cluster costs in its first minutes, in all of its accounts or in none."""
    life = spec.profile.limits.lifetime
    need = paid(rate, RENEWED, life)
    ask = Ask(1, 0.0, paid(rate, HELD, life), need, begun=False)
    lacks = await _take(store, spec, ask)
    if lacks is not None:  # somebody's may be free by now
        await settle(store, backend)
        lacks = await _take(store, spec, ask._replace(number=3))
    if lacks is None:
        return
    groups = [group for group in spec.profile.groups if group.workers]
    one = rate / groups[0].workers if len(groups) == 1 else 0.0
    workers = count(sum(group.workers for group in groups), "worker")
    raise refusal(f"Cluster {spec.name!r} can't be started", lacks, workers, rate, need, one, time.time())


async def _take(store: AccountStore, spec: ClusterSpec, ask: Ask) -> AccountBook | None:
    """Ask all accounts. The one that can't pay, if there is one: then none holds anything, nor where one fails."""
    who, paid_for = holder_of(spec.name, spec.created), False
    try:
        for name in spec.accounts:
            book = await store.change(name, _asking(who, ask))
            if book is not None and book.holds.get(who, Hold()).short:
                return book
        paid_for = True
        return None
    finally:
        if not paid_for:
            await asyncio.shield(_let_go(store, spec.accounts, who, ask.number + 1))


async def _let_go(store: AccountStore, names: Sequence[str], who: str, number: int) -> None:
    """Hold nothing in any account. What one can't be told of comes back by itself."""
    for name in names:
        with contextlib.suppress(MlopsError):
            await store.change(name, _asking(who, Ask(number, 0.0, 0.0, begun=False)))


def _asking(who: str, ask: Ask) -> Callable[[AccountBook | None], AccountBook | None]:
    return lambda book: None if book is None else book.take(who, ask, time.time())
