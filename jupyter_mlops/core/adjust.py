"""From list prices in dollars to what somebody pays in their own currency, as they said when."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Label, Record
from .price import Currency, Price
from .words import exact_money

#: The currency of the lists.
LISTED = "USD"


class Exchange(Record):
    """A dollar is `rate` of `currency`, as `by` said on the day `date`."""

    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    currency: Currency
    date: Label = ""
    by: Label = ""


class Discount(Record):
    """List prices are too high by `percent` of them, as `by` said on the day `date`."""

    percent: Annotated[float, Field(ge=0, lt=100)]
    date: Label = ""
    by: Label = ""


class Adjustment(Record):
    """What becomes of a list price: less by the discount, and in another currency."""

    exchange: Exchange | None = None
    discount: Discount | None = None

    def signed(self, by: str, date: str) -> Adjustment:
        """The same, where what nobody has signed was said by `by` on the day `date`."""
        signature = {"by": by, "date": date}
        parts = {"exchange": self.exchange, "discount": self.discount}
        return self.model_copy(
            update={name: part.model_copy(update=signature) for name, part in parts.items() if part and not part.by}
        )

    def of(self, per_hour: float, listed: str, currency: str, what: str = "list price") -> tuple[float, str] | None:
        """What a price of `per_hour`, which is `what` in the currency `listed`, is in `currency`; and how that came
        about, in words, which are empty where nothing became of it. None where nobody said what one is in the
        other."""
        words, amount = "", per_hour
        if self.discount is not None and self.discount.percent:
            amount *= 1 - self.discount.percent / 100
            words = f" − {self.discount.percent:g} % {_said(self.discount)}"
        if listed != currency:
            exchange = self.exchange
            if exchange is None or listed != LISTED or exchange.currency != currency:
                return None
            amount *= exchange.rate
            words += f"; {exact_money(1, LISTED)} = {exact_money(exchange.rate, currency)} {_said(exchange)}"
        return amount, f"{what} {exact_money(per_hour, listed)}{words}" if words else ""

    def reference(self, price: Price, currency: str) -> Price:
        """A reference in `currency`; as it is where nobody said what a dollar is in that."""
        exchange = self.exchange
        if price.currency == currency or exchange is None or exchange.currency != currency:
            return price
        rates = {
            name: None if rate is None else rate * exchange.rate
            for name, rate in (("cpu_hour", price.cpu_hour), ("gb_hour", price.gb_hour), ("gpu_hour", price.gpu_hour))
        }
        return price.model_copy(update={**rates, "currency": currency})


def exchange_todo(code: str) -> str:
    """Where a user says what a dollar is in the currency `code`."""
    return (
        f"say what a dollar is in {code}, in Settings → Settings Editor → ML Ops, or with "
        f"`jupyter mlops prices exchange {code} RATE`"
    )


def _said(by: Exchange | Discount) -> str:
    return f"(set by {by.by or 'you'}{', ' + by.date if by.date else ''})"
