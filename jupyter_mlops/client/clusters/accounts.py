"""Accounts as people see and set them, wherever they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from ... import places
from ...core.account import AccountBook, AccountStore, holder_of
from ...core.base import Record
from ...core.budget import budget_of, reference_in
from ...core.cluster import Problem
from ...core.errors import Conflict, MlopsError, Refused, Unavailable
from ...core.extend import Money
from ...core.profile import Place
from ...home import settings
from ...home.owner import me
from ...places import profiles
from ...places.base import Backend


class PlacedAccount(Record):
    """An account and the place whose clusters hold its money."""

    place: Place
    book: AccountBook


async def list_accounts() -> tuple[list[PlacedAccount], list[Problem]]:
    """The accounts of all places, and why some could not be asked."""
    found, problems = [], []
    for place in places.names():
        try:
            backend = places.get(place)
            store = await backend.accounts()
            books = [] if store is None else await settle(store, backend)
        except MlopsError as error:
            problems.append(Problem.of(error))
        else:
            found += [PlacedAccount(place=place, book=book) for book in books]
    return found, problems


async def set_account(amount: Money, profile: str | None = None) -> AccountBook:
    """Give one's own account so much money a month, in the currency of one's prices. What clusters hold of it stays.

    Parameters
    ----------
    profile : whose place is meant; None: this machine, or whatever place is the default.

    Raises
    ------
    Refused : the administrator has an account of that name, or the place keeps none.
    """
    owner = me()
    code = (await asyncio.to_thread(settings.load)).price.currency

    def given(book: AccountBook | None) -> AccountBook:
        if book is None:
            return AccountBook(name=owner, limit=amount, currency=code)
        other = book.currency
        if book.rule:
            raise Refused(
                f"The account {book.name!r} can't be changed", f"it is your administrator's (rule {book.rule!r})",
                f"Ask {book.contact or 'your administrator'}.",
            )  # fmt: skip
        if other != code and (book.spent or book.held(time.time())):
            raise Conflict(
                f"The account {book.name!r} can't be in {code}",
                f"{other} of it are spent or held in this month",
                f"Set your currency to {other}, or wait for the next month.",
            )
        return book.model_copy(update={"limit": amount, "currency": code})

    book = await (await _store(profile)).change(owner, given)
    assert book is not None
    return book.at(time.time())


async def remove_account(profile: str | None = None) -> None:
    """Have no account of one's own any more: what clusters spend is bounded by their budgets alone."""
    owner = me()

    def removed(book: AccountBook | None) -> AccountBook | None:
        if book is None:
            raise Conflict("There is no account to be removed", f"{owner} has none")
        return book if book.rule else None

    await (await _store(profile)).change(owner, removed)


async def settle(store: AccountStore, backend: Backend) -> list[AccountBook]:
    """The accounts, with what clusters cost that ended without a word to them: what they held is free again."""
    books = await store.books()
    now = time.time()
    open_holds = {who for book in books for who, hold in book.holds.items() if hold.begun and not hold.ended}
    if not open_holds:
        return [book.at(now) for book in books]
    for state in await backend.clusters():
        who = holder_of(state.name, state.created)
        if state.phase == "ended" and who in open_holds:
            limits = state.limits.model_copy(update={"budget": state.limits.budget or 1.0})
            cost = budget_of(limits, state.cost, reference_in(state.cost.currency), now)
            total = 0.0 if cost is None else cost.spent + cost.assumed
            await close(store, [book.name for book in books if who in book.holds], who, total)
    return [book.at(now) for book in await store.books()]


async def close(store: AccountStore, names: Sequence[str], who: str, total: float) -> None:
    """Tell accounts that a cluster has ended, and what it cost: all of them, also where one fails."""
    faults = []
    for name in names:
        try:
            await store.change(name, _closing(who, total))
        except MlopsError as error:
            faults.append(error)
    if faults:
        raise faults[0]


def _closing(who: str, total: float) -> Callable[[AccountBook | None], AccountBook | None]:
    return lambda book: None if book is None else book.close(who, total, time.time())


async def _store(profile: str | None) -> AccountStore:
    if profile is None:
        place, found = places.names()[0], None
    else:
        found = await asyncio.to_thread(profiles.get, profile)
        place = found.place
    store = await places.get(place).accounts(found)
    if store is None:
        raise Unavailable(f"The place {place!r} keeps no accounts", "", "Name a profile of another place: --profile.")
    return store
