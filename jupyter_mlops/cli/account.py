"""`jupyter mlops account`: what clusters hold money of."""

from __future__ import annotations

import sys
import time
from argparse import Namespace

from ..client.clusters.accounts import PlacedAccount, list_accounts, remove_account, set_account
from ..core.base import read_input
from ..core.errors import InvalidInput
from ..core.extend import Money
from ..core.words import fine_money, money
from .show import as_json, table
from .waiting import note


async def account(asked: Namespace) -> None:
    """`account`, `account set AMOUNT`, `account remove`."""
    if (asked.what == "set") != (asked.amount is not None):
        raise InvalidInput(
            f"`account {asked.what}` takes {'an amount' if asked.what == 'set' else 'no amount'}",
            "",
            "See: jupyter mlops account --help",
        )
    if asked.what == "list":
        await _list(asked)
    elif asked.what == "set":
        book = await set_account(read_input(Money, asked.amount, "amount"), asked.profile)
        limit = fine_money(book.limit, book.currency)
        _say(f"{book.name} has {limit} a month, for clusters that start from now on.")
    else:
        await remove_account(asked.profile)
        _say("The account is removed.")


async def _list(asked: Namespace) -> None:
    found, problems = await list_accounts()
    if asked.json:
        as_json([each.book for each in found])
    elif found:
        _say(_table(found, time.time()))
    else:
        _say("No account. Give yourself one with: jupyter mlops account set AMOUNT")
    for problem in problems:
        note(problem.words)


def _table(accounts: list[PlacedAccount], now: float) -> str:
    """Each account: what it has, what is spent of it in its month, and what is held."""
    rows = []
    for each in accounts:
        book, currency = each.book, each.book.currency
        amounts = (book.spent, book.held(now), book.free(now))
        by = book.rule or "you"
        said = [money(amount, currency) for amount in amounts]
        rows.append((book.name, each.place, book.month, fine_money(book.limit, currency), *said, by))
    return table(("ACCOUNT", "PLACE", "MONTH", "A MONTH", "SPENT", "HELD", "LEFT", "SET BY"), rows)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
