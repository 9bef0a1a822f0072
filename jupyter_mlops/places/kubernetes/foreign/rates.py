"""What the nodes cost that clusters of others run on: asked for at times, since lists are made every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ....core.base import Seconds
from ....core.cluster import ClusterSpec
from ....core.price import HostPrice, Price
from ....core.profile import Group, Profile
from ....home import settings
from ....pricing import Catalogue
from ..api.client import Api
from ..pricelist import price_list

#: Seconds that prices are used for before they are asked for anew.
FRESH: Seconds = 300.0


@dataclass(frozen=True)
class Rates:
    """The user's own rates, and the price of each node that is known."""

    price: Price = field(default_factory=Price)
    hosts: Mapping[str, HostPrice] = field(default_factory=dict)

    @property
    def usual(self) -> Price:
        """The user's own rates; where there are none, those of most nodes whose price is known."""
        if self.price.known:
            return self.price
        known = Counter(host.rates.model_dump_json() for host in self.hosts.values() if host.rates.known)
        return Price.model_validate_json(known.most_common(1)[0][0]) if known else self.price


#: By the API's address: for which rates of the user's, when it was asked, and the answer.
_known: dict[str, tuple[Price, float, Rates]] = {}


async def rates(api: Api) -> Rates:
    """The rates that count now, as for a cluster of ours that were started without a price."""
    price = (await asyncio.to_thread(settings.load)).price
    of, asked, found = _known.get(api.host, (None, 0.0, Rates(price)))
    if of == price and time.monotonic() - asked < FRESH:
        return found
    catalogue = Catalogue.unpacked(await price_list(api, _spec(price)))
    found = Rates(price, {name: catalogue.price(node) for name, node in catalogue.nodes.items()})
    _known[api.host] = (price, time.monotonic(), found)
    return found


def _spec(price: Price) -> ClusterSpec:
    profile = Profile(name="others", place="kubernetes", groups=[Group(workers=0)])
    return ClusterSpec(name="others", owner="", profile=profile, price=price, created=0)
