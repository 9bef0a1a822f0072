"""From a profile to a receipt, on real clusters of this machine."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import PATIENCE, SMALL, eventually, finished


async def test_start_scale_stop_receipt(
    ask: Any, browse: Any, jp_fetch: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mlops.server.clusters.manager._AT_ONCE", PATIENCE)  # a busy controller is well, too
    await ask("PUT", "profiles/small", SMALL)
    browser = await browse()
    await browser.read()
    assert browser.snapshots == 1 and not browser.clusters

    started = await ask("POST", "clusters", {"profile": "small", "name": "flights"})
    assert (started["kind"], started["phase"]) == ("start", "running")
    assert started["subject"].startswith("flights.local~"), "which cluster of that name it is"
    await browser.until(lambda: "flights" in browser.clusters)
    await browser.until(lambda: browser.profiles[0]["profile"]["name"] == "small")  # the last used one stands first
    await browser.hello(epoch=browser.epoch, seq=browser.seq, follow_clusters=["flights"])
    assert (await finished(ask, started))["phase"] == "done"
    await browser.until(lambda: browser.clusters["flights"]["phase"] == "running")
    await browser.until(lambda: browser.workers.get("flights"))

    status, refused = await ask("PATCH", "clusters/flights", {"workers": 2, "now": "yes"})
    assert (status, refused["why"]) == (400, "now must be true or false (got 'yes')")
    scaled = await ask("PATCH", "clusters/flights", {"workers": 2})
    assert (await finished(ask, scaled))["phase"] == "done"
    await browser.until(lambda: len(browser.workers["flights"]) == 2)
    assert await ask("PATCH", "clusters/flights", {"workers": 5}) == (
        400,
        {
            "error": "OutOfRange",
            "what": "Group 'default' can't have 5 workers",
            "why": "its profile allows 0 to 4",
            "todo": "Ask for a number in between, or use a profile with another range.",
        },
    )
    assert len(await ask("GET", "clusters/flights/workers")) == 2

    async def is_told() -> bool:
        return any("2" in event["text"] for event in await ask("GET", "clusters/flights/events"))

    await eventually(is_told)  # the controller writes its file beside
    assert await ask("GET", "clusters/flights/logs")
    adapted = await finished(ask, await ask("PATCH", "clusters/flights", {"minimum": 1, "maximum": 3}))
    assert adapted["phase"] == "done"
    await browser.until(lambda: browser.clusters["flights"]["groups"][0]["adaptive"])

    raised = await finished(ask, await ask("PATCH", "clusters/flights", {"budget": 3, "more_time": "1 h"}))
    assert (raised["kind"], raised["phase"]) == ("limit", "done")
    await browser.until(lambda: browser.clusters["flights"]["limits"]["lifetime"] == 25 * 3600)
    assert browser.clusters["flights"]["budget"]["limit"] == 3

    stopped = await finished(ask, await ask("DELETE", "clusters/flights"))
    assert stopped["phase"] == "done", stopped
    await browser.until(lambda: browser.clusters["flights"]["phase"] == "ended")
    assert browser.clusters["flights"]["cause"] == "user"
    receipt = await ask("GET", "clusters/flights/receipt")
    assert receipt["cost"]["amount"] > 0 and receipt["most_workers"] == 2
    assert await ask("GET", "clusters/flights/timeline")

    money = await ask("GET", "money")
    (month,) = money["sums"]
    assert (month["clusters"], month["amount"]) == (1, receipt["cost"]["amount"])
    assert month["saving"]["paid"] == month["amount"] and "24 h at most" in money["baseline"]
    exported = await jp_fetch("jupyter-mlops", "money", "export", params={"as": "csv"})
    assert exported.headers["Content-Disposition"] == f'attachment; filename="costs-{money["month"]}.csv"'
    (row,) = csv.DictReader(io.StringIO(exported.body.decode()))
    assert (row["cluster"], row["group"], float(row["amount"])) == ("flights", "default", month["amount"])
    assert (await ask("GET", "money/export", **{"as": "xlsx"}))[0] == 400
    for path in (("jupyter-mlops", "metrics"), ("metrics",)):
        text = (await jp_fetch(*path)).body.decode()
        (line,) = re.findall(r'^mlops_cost_total\{.*cluster="flights".*currency="USD".*\} (.*)$', text, re.M)
        assert float(line) == month["amount"]

    assert await ask("DELETE", "clusters/flights") is None
    await browser.until(lambda: "flights" not in browser.clusters)
    assert browser.snapshots == 1, "all of it came as changes"
    assert (await ask("GET", "clusters/flights/receipt")) == receipt, "a receipt outlives the record"
    (later,) = (await ask("GET", "money"))["sums"]
    assert (later["clusters"], later["saving"]) == (1, month["saving"]), "and so does its bill"
