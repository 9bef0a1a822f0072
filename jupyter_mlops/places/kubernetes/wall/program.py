"""The program that is the wall: looks at the pods, keeps the books, and ends what can't be paid for.

python start.py wall FOLDER
python -m jupyter_mlops.places.kubernetes.wall.program FOLDER

The folder has the administrator's rules, which are read again at each look, and the prices. It runs as whoever its pod,
or the kubeconfig, says, and keeps its books in the namespace of that. It must run once only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from ....core.base import Seconds, read_input
from ....core.errors import MlopsError, Unavailable
from ....core.price import REFERENCE, HostPrice, Price
from ....core.rules import Rules
from ....core.waiting import wait_for
from ....core.wall import LOOK, PATIENCE, WallBooks
from ....pricing import Catalogue
from .. import names
from ..api.client import Answer, Api, Json
from ..pods import pods
from ..runtime.nodes import Nodes
from . import ending
from .counted import WalledSpace, counted
from .store import WallStore

logger = logging.getLogger("jupyter_mlops.wall")

#: The rules' file in the folder.
RULES = "rules.json"

#: Seconds that a look waits for the prices of new nodes.
_PRICED: Seconds = 60.0


class Wall:
    """Looks after all namespaces that have its label.

    Parameters
    ----------
    api : in the wall's own namespace.
    folder : has `rules.json`, and the packed catalogue of prices.
    """

    def __init__(self, api: Api, folder: Path) -> None:
        self._api, self._folder = api, folder
        self._store = WallStore(api)
        catalogue = Catalogue.unpacked((folder / names.PRICES).read_bytes())
        currency = catalogue.by_hand.rates.currency
        self._reference: Price = catalogue.adjust.reference(REFERENCE, currency)
        #: What nodes cost, by name, and that there is news of it.
        self._hosts: dict[str, HostPrice] = {}
        self._told = asyncio.Event()
        self._nodes = Nodes(api, catalogue, self._priced)
        self._rules = rules_in(folder, currency)
        self._currency = currency
        self._books: WallBooks | None = None
        #: Namespaces in which a cluster may have been told something: all, until that is known.
        self._silent: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled. While Kubernetes doesn't answer, nothing is lost: it is counted when it does."""
        prices = asyncio.create_task(self._nodes.run())
        try:
            while True:
                try:
                    await self.look()
                except Answer as answer:
                    if answer.status in (404, 409):
                        self._books = None  # somebody else has written them, or removed them to begin anew
                    logger.warning("A look failed, and is tried again: %s", answer.problem.what)
                except Unavailable as error:
                    logger.warning("A look failed, and is tried again: %s", error)
                await asyncio.sleep(LOOK)
        finally:
            prices.cancel()

    async def look(self) -> None:
        """Count, write that down, and only then act on it. Raises `Answer`, `Unreachable`, `Unreadable`."""
        if self._books is None:
            self._books = await self._store.load() or WallBooks(currency=self._currency)
        books, rules = self._books, self._read_rules()
        spaces = await self._spaces()
        seen = {space: await self._pods(space) for space in spaces}
        now = time.time()
        await self._price(pod for found in seen.values() for pod in found or [])
        for name in set(books.looked) - {space.name for space in spaces}:
            books = books.leave(name, now)
        for space, found in seen.items():
            if found is not None:
                running = (counted(pod, space, self._hosts, self._reference) for pod in found)
                books = books.count(space.name, [pod for pod in running if pod is not None], now)
        books = books.settle(rules, now)
        await self._store.save(books)
        self._books = books
        closed = books.closed(rules, now)
        for space, found in seen.items():
            if found is not None:
                await self._act(space, found, books, closed, now)

    async def _spaces(self) -> list[WalledSpace]:
        query = {"labelSelector": f"{names.WALL}={self._api.namespace}"}
        found = await self._api.request("GET", self._api.path("namespaces", namespace=""), query=query)
        return [WalledSpace.of(item) for item in found.get("items") or []]

    async def _pods(self, space: WalledSpace) -> list[Json] | None:
        """The pods of a namespace; None where the wall may not look into it, which leaves its books as they are."""
        api = self._api.within(space.name)
        try:
            found = (await api.request("GET", api.path("pods"))).get("items") or []
        except Answer as answer:
            logger.warning("The namespace %s can't be looked at: %s", space.name, answer.problem.what)
            return None
        return list(found)

    async def _price(self, found: Iterable[Json]) -> None:
        """Return when it is known what the nodes of these pods cost, or that nobody knows it: after a restart, too, all
        time since the last look counts at these prices. While Kubernetes is slow to tell, they are assumed."""
        hosts = {str(pod["spec"]["nodeName"]) for pod in found if pods.placed(pod)}
        for host in hosts:
            self._nodes.see(host)
        deadline = time.monotonic() + _PRICED
        while not hosts <= self._hosts.keys() and (left := deadline - time.monotonic()) > 0:
            self._told.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await wait_for(self._told.wait(), left)

    def _priced(self, host: str, price: HostPrice) -> None:
        self._hosts[host] = price
        self._told.set()

    async def _act(
        self, space: WalledSpace, found: Sequence[Json], books: WallBooks, closed: Sequence[str], now: float
    ) -> None:
        """Say what is to be said in a namespace, and end what has to end."""
        tabs = {name: books.tabs[name] for name in books.tabs_in(space.name)}
        short = {name.partition("/")[2]: name for name, tab in tabs.items() if tab.pods and tab.step != "fine"}
        api = self._api.within(space.name)
        states = {tab: state for tab, name in short.items() if (state := books.state(name, now)) is not None}
        try:
            await ending.close(api, space, closed, now)
            if not short and space.name in self._silent:
                return
            records = await ending.records_in(api, space)
            await ending.tell(api, records, states)
            for tab, name in short.items():
                stopped, record = tabs[name].stopped, records.get(tab)
                if stopped is not None and (record is None or now - stopped >= PATIENCE):
                    theirs = [pod for pod in found if pod["metadata"]["uid"] in tabs[name].pods]
                    theirs = [pod for pod in theirs if not ending.ends(pod)]
                    if record is not None or theirs:
                        logger.warning("%s is ended: %s", name, states[tab].sentence)
                        await ending.end(api, record, theirs)
        except Answer as answer:
            logger.warning("The wall can't act in %s, and tries again: %s", space.name, answer.problem.what)
            return
        (self._silent.discard if short else self._silent.add)(space.name)

    def _read_rules(self) -> Rules:
        """The rules as they are now; where they can't be read, as they were."""
        try:
            self._rules = rules_in(self._folder, self._currency)
        except MlopsError as error:
            logger.warning("The rules are those of before: %s", error)
        return self._rules


def rules_in(folder: Path, currency: str) -> Rules:
    """The rules of a folder.

    Raises
    ------
    Unavailable : they can't be read, or aren't valid, or count money in another currency than the prices.
    """
    path = folder / RULES
    try:
        rules = read_input(Rules, json.loads(path.read_text(encoding="utf-8")), "file of rules")
    except (OSError, ValueError, MlopsError) as error:
        raise Unavailable(f"The rules in {path} can't be read", str(error), "Repair that file.") from None
    check_currency(rules, currency)
    return rules


def check_currency(rules: Rules, priced: str) -> None:
    """Raise `Unavailable` where accounts of the rules are in another currency than the prices."""
    for rule in rules.rules:
        code = rule.currency
        if rule.month is not None and code != priced:
            raise Unavailable(
                f"The wall can't keep the account of the rule {rule.name!r}",
                f"it has {code}, and the prices are in {priced}",
                "Set the currency in Settings → Settings Editor → ML Ops, or in the rule.",
            )


def main() -> None:
    """Be the wall."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    asyncio.run(_run(Path(sys.argv[1])))


async def _run(folder: Path) -> None:
    api = await Api.connect()
    try:
        await Wall(api, folder).run()
    finally:
        await api.close()


if __name__ == "__main__":
    main()
