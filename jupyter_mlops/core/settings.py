"""What a user sets once, for all clusters."""

from __future__ import annotations

from .adjust import Adjustment
from .base import Record, Time
from .formats import FORMAT
from .price import Currency, Price, Rate


class Settings(Record):
    """`price` is the user's own rates, `kinds` the user's prices of an hour of a node by its instance type, each in its
    own of `currencies`, which may not be the one that `price` is in now; `tracking_uri` an MLflow tracking URI (None:
    SQLite in the home folder; `off`: no MLflow);
    `adjust` is what becomes of list prices that are known to be others in the user's own bill or currency;
    `default_profile` is what a run starts when there is no cluster; `last_used` is profile → when."""

    format: int = FORMAT
    price: Price = Price()
    kinds: dict[str, Rate] = {}
    currencies: dict[str, Currency] = {}
    adjust: Adjustment = Adjustment()
    tracking_uri: str | None = None
    default_profile: str | None = None
    last_used: dict[str, Time] = {}

    def pinned(self) -> Settings:
        """The same, with the currency of each of `kinds`: those that have none are in the one of `price`."""
        return self.model_copy(
            update={"currencies": {kind: self.currencies.get(kind, self.price.currency) for kind in self.kinds}}
        )
