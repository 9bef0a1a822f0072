"""Accounts, as their places have them. Nothing of them is kept here."""

from __future__ import annotations

from typing import Any

from ...client.clusters.accounts import PlacedAccount, list_accounts, remove_account, set_account
from ...core.account import AccountBook
from ...core.base import Input, Name, read_request
from ...core.extend import Money


class AccountRequest(Input):
    """One's own account: money for a `month`, or none; of the place of a `profile`, else of this machine."""

    month: Money | None
    profile: Name | None = None


class AccountManager:
    """The door to the accounts."""

    async def all(self) -> list[PlacedAccount]:
        """Those of all places that answer, with what ended clusters cost."""
        found, _ = await list_accounts()
        return found

    async def save(self, body: dict[str, Any]) -> AccountBook | None:
        """Set or remove one's own. Raises `InvalidSpec`, `UnknownProfile`, and as `set_account`."""
        asked = read_request(AccountRequest, body, "account")
        if asked.month is None:
            await remove_account(asked.profile)
            return None
        return await set_account(asked.month, asked.profile)
