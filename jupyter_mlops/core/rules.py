"""The administrator's rules: what profiles, shapes, money and limits clusters may have, and whose.

All rules that are about an owner and a place hold, so that another rule never allows more.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from .account import AccountBook
from .base import Bytes, Input, Name, Period, Record, Saying, otherwise
from .errors import Refused
from .extend import Money
from .price import ROUNDING, Currency
from .profile import Limits, Place, Profile
from .words import count, fine_money, per_hour, size, span

#: Patterns, as of file names: "ada", "lab-*", "*".
Patterns = Annotated[list[str], Field(min_length=1)]


class Rule(Input):
    """What clusters of some owners may be, in some places. What isn't named has no bound.

    `profiles` are those that clusters may be made of, as their files have them. A worker has `cpus`, `memory` and
    `gpus` at most, a cluster `workers`, and costs `per_hour`. A cluster's limits are `budget`, `lifetime`,
    `idle_timeout` and `unknown_price`, where its profile names none that is narrower. `month` is money for a month:
    for all of them together, or for `each`. `shared` is a folder with profiles that all of them have.
    """

    name: Name
    owners: Patterns = ["*"]
    places: Patterns = ["*"]
    profiles: Patterns | None = None
    cpus: Annotated[float, Field(gt=0)] | None = None
    memory: Bytes | None = None
    gpus: Annotated[int, Field(ge=0)] | None = None
    workers: Annotated[int, Field(ge=0)] | None = None
    per_hour: Money | None = None
    budget: Money | None = None
    lifetime: Period | None = None
    idle_timeout: Period | None = None
    unknown_price: Annotated[Literal["assume", "refuse"], otherwise("refuse")] | None = None
    month: Money | None = None
    each: bool = False
    shared: str | None = None
    currency: Currency = "USD"

    def about(self, owner: str, place: Place | None = None) -> bool:
        """Whether clusters of this owner in this place, or in any, are held to it."""
        return _any(owner, self.owners) and (place is None or _any(place, self.places))

    @property
    def has_money(self) -> bool:
        """Whether it names any amount."""
        return any(amount is not None for amount in (self.per_hour, self.budget, self.month))

    def account(self, owner: str) -> str:
        """What the account is called that it is for."""
        return f"{self.name} of {owner}" if self.each else self.name


class Rules(Input):
    """A file of rules. `contact` is whom people ask who need more."""

    contact: Saying = ""
    rules: list[Rule] = []


class HeldRules(Record):
    """The rules that a cluster is held to, as they were at its start."""

    contact: Saying = ""
    rules: list[Rule] = []

    def check_profile(self, profile: Profile, is_as_stored: bool) -> None:
        """Raise `Refused` where a cluster may not be made of `profile`.

        Parameters
        ----------
        is_as_stored : whether it is what the administrator's file, or the package, has under its name.
        """
        for rule in self.rules:
            if rule.profiles is not None and not (is_as_stored and _any(profile.name, rule.profiles)):
                own = "" if is_as_stored else ", as they come from your administrator or with the package"
                raise self._denial(
                    rule,
                    f"A cluster can't be made of the profile {profile.name!r}",
                    f"only these may be used: {', '.join(rule.profiles)}{own}",
                    "Use one of them",
                )
            for group in profile.groups:
                too_much = [
                    said
                    for asked, most, said in (
                        (group.cpus, rule.cpus, f"{count(rule.cpus or 0, 'CPU')}"),
                        (group.memory, rule.memory, size(rule.memory or 0)),
                        (group.gpus, rule.gpus, count(rule.gpus or 0, "GPU")),
                    )
                    if most is not None and asked > most
                ]
                if too_much:
                    raise self._denial(
                        rule,
                        f"Workers of group {group.name!r} are too big",
                        f"a worker may have {' and '.join(too_much)} at most",
                        "Ask for smaller ones",
                    )

    def check_workers(self, workers: int) -> None:
        """Raise `Refused` where a cluster may not have so many workers in all."""
        for rule in self.rules:
            if rule.workers is not None and workers > rule.workers:
                raise self._denial(
                    rule,
                    f"The cluster can't have {count(workers, 'worker')}",
                    f"it may have {rule.workers} in all",
                    "Ask for fewer",
                )

    def check_rate(self, rate: float, currency: str) -> None:
        """Raise `Refused` where a cluster may not cost `rate` an hour, or costs money that a rule doesn't know."""
        for rule in self.rules:
            code = rule.currency
            if rule.has_money and code != currency:
                raise self._denial(
                    rule,
                    "The cluster is priced in another currency than its rules",
                    f"they count money in {code}",
                    f"Set your currency to {code} in Settings → Settings Editor → ML Ops",
                )
            if rule.per_hour is not None and rate > rule.per_hour * (1 + ROUNDING):
                raise self._denial(
                    rule,
                    f"The cluster can't cost {per_hour(rate, currency)}",
                    f"it may cost {per_hour(rule.per_hour, currency)} at most",
                    "Ask for fewer workers, or smaller ones",
                )

    def check_limits(self, limits: Limits) -> None:
        """Raise `Refused` where the limits of a live cluster may not be these."""
        narrowed = self.narrowed(limits)
        if narrowed == limits:
            return
        for rule in self.rules:
            if HeldRules(rules=[rule]).narrowed(limits) != limits:
                why = f"a cluster has {' and '.join(_bounds(rule))} at most"
                raise self._denial(rule, "The limits can't be raised so far", why, "Name less")

    def narrowed(self, limits: Limits) -> Limits:
        """The limits of a cluster: the profile's, or the rules' where these are narrower."""
        update: dict[str, object] = {}
        for name in ("budget", "lifetime", "idle_timeout"):
            bounds = [getattr(limits, name), *(getattr(rule, name) for rule in self.rules)]
            update[name] = min((bound for bound in bounds if bound is not None), default=None)
        words = {limits.unknown_price, *(rule.unknown_price for rule in self.rules if rule.unknown_price)}
        has_money = any(rule.has_money for rule in self.rules)
        if "refuse" in words:
            update["unknown_price"] = "refuse"
        elif "assume" in words or has_money:  # what has no price is no way around them
            update["unknown_price"] = "assume"
        return limits.model_copy(update=update)

    def most_workers(self, others: int, workers: int) -> int:
        """How many of `workers` a group may have beside `others` in other groups."""
        bounds = [rule.workers - others for rule in self.rules if rule.workers is not None]
        return max(0, min([workers, *bounds]))

    def accounts(self, owner: str) -> list[AccountBook]:
        """The accounts that an owner's clusters hold money of. Rules of the same name have one: with the least of their
        money, so that another file adds none."""
        books = [
            AccountBook(
                name=rule.account(owner), limit=rule.month, currency=rule.currency, rule=rule.name,
                contact=self.contact,
            )
            for rule in self.rules
            if rule.month is not None
        ]  # fmt: skip
        return list({book.name: book for book in sorted(books, key=lambda book: -book.limit)}.values())

    def most_per_hour(self) -> float | None:
        """What an hour may cost at most."""
        return min((rule.per_hour for rule in self.rules if rule.per_hour is not None), default=None)

    def _denial(self, rule: Rule, what: str, why: str, todo: str) -> Refused:
        whom = self.contact or "your administrator"
        return Refused(what, f"{why} (rule {rule.name!r})", f"{todo}, or ask {whom} for more.")


def rules_for(files: Sequence[Rules], owner: str, place: Place) -> HeldRules:
    """What of these files holds for the clusters of an owner in a place."""
    found = [rule for rules in files for rule in rules.rules if rule.about(owner, place)]
    contacts = [rules.contact for rules in files if rules.contact]
    return HeldRules(contact=contacts[0] if contacts else "", rules=found)


def _bounds(rule: Rule) -> list[str]:
    """What a rule allows of a cluster's limits, in words."""
    said = []
    if rule.budget is not None:
        said.append(f"a budget of {fine_money(rule.budget, rule.currency)}")
    if rule.lifetime is not None:
        said.append(f"{span(rule.lifetime)} to live")
    if rule.idle_timeout is not None:
        said.append(f"{span(rule.idle_timeout)} without work")
    return said


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
