"""The addresses of dashboards: each has a key that nobody can guess."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qsl, urlencode


class DashboardKeys:
    """A key for the dashboard of each cluster, until the server ends.

    A dashboard is a page of somebody else's, so that it is shown in a sandbox: its scripts have an origin of their own,
    and no browser sends Jupyter's cookies with what they ask for. The key in the address is what lets them in, and
    to their dashboard only.
    """

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._clusters: dict[str, str] = {}

    def key_of(self, cluster: str) -> str:
        """The key to the dashboard of `cluster`. Only for who may see it."""
        if cluster not in self._keys:
            self._keys[cluster] = secrets.token_urlsafe(32)
            self._clusters[self._keys[cluster]] = cluster
        return self._keys[cluster]

    def cluster_of(self, key: str) -> str | None:
        """Whose dashboard `key` opens; None when it is no key."""
        return self._clusters.get(key)


def query_without_token(query: str) -> str:
    """`query`, with its question mark, but for Jupyter's token, which may stand in any address."""
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "token"]
    return f"?{urlencode(kept)}" if kept else ""
