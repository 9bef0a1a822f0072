"""`jupyter mlops prices`: prices by hand, and price lists."""

from __future__ import annotations

import datetime
import sys
from argparse import Namespace
from pathlib import Path

from ..core import words
from ..core.adjust import LISTED, Discount, Exchange
from ..core.base import read_input
from ..core.errors import InvalidInput
from ..core.settings import Settings
from ..core.words import exact_money
from ..home import settings
from ..home.owner import me
from ..pricing import lists
from .show import as_json, table


async def prices(asked: Namespace) -> None:
    """`prices`, `prices import FILE`, `prices set KIND AMOUNT`, `prices exchange CURRENCY RATE`, `prices discount
    PERCENT`, `prices remove NAME`."""
    {
        "list": _list,
        "import": _import,
        "set": _set,
        "exchange": _exchange,
        "discount": _discount,
        "remove": _remove,
    }[asked.what](asked)


def _list(asked: Namespace) -> None:
    _expect(asked, 0)
    known, found = settings.load(), lists.lists()
    if asked.json:
        brought = [{"name": each.source, "date": each.date, "kinds": len(each.kinds)} for each in found]
        return as_json({"rates": known.price, "kinds": known.kinds, "adjust": known.adjust, "lists": brought})
    rates = {"CPU-hour": known.price.cpu_hour, "GB-hour": known.price.gb_hour, "GPU-hour": known.price.gpu_hour}
    currency = known.price.currency
    rows = [(name, exact_money(amount, currency), "by hand") for name, amount in rates.items() if amount is not None]
    for kind, amount in sorted(known.kinds.items()):
        rows.append((kind, f"{exact_money(amount, known.currencies[kind])}/h", "by hand"))
    adjust = known.adjust
    if adjust.exchange is not None:
        said = f"set by {adjust.exchange.by}, {adjust.exchange.date}"
        rows.append((exact_money(1, LISTED), exact_money(adjust.exchange.rate, adjust.exchange.currency), said))
    if adjust.discount is not None:
        said = f"set by {adjust.discount.by}, {adjust.discount.date}"
        rows.append(("list prices", f"− {adjust.discount.percent:g} %", said))
    rows += [(each.source, f"{len(each.kinds):,} instance types", f"of {each.date}") for each in found]
    return _say(table(("WHAT", "PRICE", "SOURCE"), rows) if rows else "No prices but those that come with libcloud.")


def _import(asked: Namespace) -> None:
    _expect(asked, 1)
    found = lists.bring(Path(asked.arguments[0]))
    _say(f"{found.source}: {len(found.rows):,} prices of {len(found.kinds):,} instance types, of {found.date}.")


def _set(asked: Namespace) -> None:
    _expect(asked, 2)
    kind, amount = asked.arguments
    known = settings.load()
    currencies = {**known.currencies, kind: known.price.currency}
    wanted = known.model_dump() | {"kinds": {**known.kinds, kind: amount}, "currencies": currencies}
    found = read_input(Settings, wanted, "price")
    settings.save(found)
    price = exact_money(found.kinds[kind], found.price.currency)
    _say(f"A node of the type {kind} costs {price}/h, in clusters that start from now on.")


def _exchange(asked: Namespace) -> None:
    _expect(asked, 2)
    currency, rate = asked.arguments
    given = {"currency": currency, "rate": rate, "date": _today(), "by": me()}
    exchange = read_input(Exchange, given, "exchange rate")
    _adjust({"exchange": exchange})
    said = exact_money(exchange.rate, exchange.currency)
    _say(f"{exact_money(1, LISTED)} is {said}, in clusters that start from now on.")


def _discount(asked: Namespace) -> None:
    _expect(asked, 1)
    percent = asked.arguments[0].removesuffix("%").strip()
    discount = read_input(Discount, {"percent": percent, "date": _today(), "by": me()}, "discount")
    _adjust({"discount": discount})
    _say(f"List prices count with {discount.percent:g} % less, in clusters that start from now on.")


def _adjust(change: dict[str, Exchange | Discount | None]) -> None:
    known = settings.load()
    settings.save(known.model_copy(update={"adjust": known.adjust.model_copy(update=change)}))


def _today() -> str:
    return datetime.date.today().isoformat()


def _remove(asked: Namespace) -> None:
    _expect(asked, 1)
    (name,) = asked.arguments
    known = settings.load()
    if name in ("exchange", "discount"):
        _adjust({name: None})
    elif name in known.kinds:
        kinds = {kind: amount for kind, amount in known.kinds.items() if kind != name}
        settings.save(known.model_copy(update={"kinds": kinds}))
    else:
        lists.remove(name)
    _say(f"{name} is removed.")


def _expect(asked: Namespace, count: int) -> None:
    if len(asked.arguments) != count:
        raise InvalidInput(
            f"`prices {asked.what}` takes {words.count(count, 'argument')}",
            f"got {len(asked.arguments)}",
            "See: jupyter mlops prices --help",
        )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
