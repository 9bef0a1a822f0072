"""What a user sets once, for all clusters."""

from __future__ import annotations

from .model import Model, Time
from .price import Price


class Settings(Model):
    """`price` is the user's own rates; `tracking_uri` an MLflow tracking URI (None: SQLite in the home folder);
    `default_profile` is what a run starts when there is no cluster; `last_used` is profile → when."""

    price: Price = Price()
    tracking_uri: str | None = None
    default_profile: str | None = None
    last_used: dict[str, Time] = {}
