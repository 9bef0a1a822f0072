"""Accounts in the sidebar's REST interface."""

from __future__ import annotations

from typing import Any

from jupyter_mlops.home.owner import me


async def test_ones_own_account_is_set_changed_and_removed(ask: Any) -> None:
    assert await ask("GET", "accounts") == []
    status, refused = await ask("PUT", "accounts", {"month": -1})
    assert (status, refused["why"]) == (400, "month must be more than 0 (got -1)")
    for month in (50, 80):
        assert (await ask("PUT", "accounts", {"month": month}))["limit"] == month
    (placed,) = await ask("GET", "accounts")
    assert (placed["place"], placed["book"]["name"], placed["book"]["limit"]) == ("local", me(), 80)
    await ask("PUT", "profiles/p", {"groups": [{"memory": "500 MiB"}], "price": {"cpu_hour": 999}})
    status, refused = await ask("POST", "clusters", {"profile": "p"})
    assert status == 403 and refused["why"].startswith("2 workers would cost $1,998.00/h")
    assert "raise the account" in refused["todo"]
    await ask("PUT", "accounts", {"month": None})
    assert await ask("GET", "accounts") == []
