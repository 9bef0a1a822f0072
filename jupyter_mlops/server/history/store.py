"""The history's file: rows of JSON by cluster, time and run. Blocking; `keeper.py` calls it on its own thread."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...core.cluster import ClusterState
from ...core.naming import ClusterName
from ...home.databases import connect
from .schema import prepare

#: Seconds to wait for another server that writes to the same file.
BUSY = 10.0

Samples = Iterable[tuple[float, str]]


class Store:
    """Clusters are known by their ids, because names come again, and others have them too.

    Every method may raise `sqlite3.Error`.
    """

    def __init__(self, path: Path) -> None:
        self._db = connect(path, BUSY, check_same_thread=False)
        try:
            prepare(self._db)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """All or nothing of what is written in between."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # A full disk may have ended the transaction already.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def put_cluster(self, cluster: ClusterState, seen: float, ended: float | None, state: str) -> None:
        """The newest state of a cluster; an end is never undone."""
        self._db.execute(
            "INSERT INTO clusters (id, path, name, created, ended, seen, state) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET ended = excluded.ended, seen = excluded.seen, state = excluded.state"
            " WHERE clusters.ended IS NULL OR excluded.ended IS NOT NULL",
            (cluster.id, cluster.path, cluster.name, cluster.created, ended, seen, state),
        )

    def put_receipt(self, cluster: str, receipt: str) -> None:
        """The final sum of a cluster."""
        self._db.execute("UPDATE clusters SET receipt = ? WHERE id = ?", (receipt, cluster))

    def set_whole(self, cluster: str) -> None:
        """Everything of this ended cluster is here."""
        self._db.execute("UPDATE clusters SET whole = 1 WHERE id = ?", (cluster,))

    def put_samples(self, cluster: str, samples: Samples) -> None:
        """Points of the timeline as (time, JSON); known ones stay."""
        self._db.executemany(
            "INSERT OR IGNORE INTO samples VALUES (?, ?, ?)", [(cluster, time, text) for time, text in samples]
        )

    def put_events(self, cluster: str, events: Iterable[tuple[int, str]]) -> None:
        """Events as (seq, JSON); known ones stay."""
        self._db.executemany(
            "INSERT OR IGNORE INTO events VALUES (?, ?, ?)", [(cluster, seq, text) for seq, text in events]
        )

    def put_run(self, run: str, cluster: str, created: float, state: str) -> None:
        """The newest state of a run."""
        self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", (run, cluster, created, state))

    def clusters(self, limit: int) -> list[tuple[str, float, bool, str]]:
        """(id, created, whole, state) of those not forgotten, newest first; of each name in a place the newest."""
        rows = self._db.execute(
            "SELECT id, MAX(created), whole, state FROM clusters WHERE NOT forgotten"
            " GROUP BY path ORDER BY 2 DESC LIMIT ?",
            (limit,),
        )
        return [(cluster, created, bool(whole), state) for cluster, created, whole, state in rows]

    def cluster(self, text: str) -> tuple[str, float, str, str | None] | None:
        """Id, time of creation, state and receipt of the newest cluster with this id, path or name; also of a forgotten
        one."""
        row: tuple[str, float, str, str | None] | None = self._db.execute(
            "SELECT id, created, state, receipt FROM clusters WHERE name = ? AND ? IN (id, path, name)"
            " ORDER BY created DESC LIMIT 1",
            (ClusterName.of(text).name, text),
        ).fetchone()
        return row

    def samples(self, cluster: str, since: float) -> list[str]:
        """The timeline after `since`."""
        rows = self._db.execute(
            "SELECT sample FROM samples WHERE cluster = ? AND time > ? ORDER BY time", (cluster, since)
        )
        return [text for (text,) in rows]

    def events(self, cluster: str) -> list[str]:
        """All events."""
        rows = self._db.execute("SELECT event FROM events WHERE cluster = ? ORDER BY seq", (cluster,))
        return [text for (text,) in rows]

    def runs(self, limit: int, cluster: str | None = None) -> list[tuple[str, str, float, str]]:
        """(id, cluster, created, state) of the newest runs, of clusters with one name or of all."""
        return self._db.execute(
            "SELECT id, cluster, created, state FROM runs WHERE ? IS NULL OR cluster = ? ORDER BY created DESC LIMIT ?",
            (cluster, cluster, limit),
        ).fetchall()

    def run(self, run: str) -> tuple[str, str, float, str] | None:
        """One run, as in `runs`."""
        row: tuple[str, str, float, str] | None = self._db.execute(
            "SELECT id, cluster, created, state FROM runs WHERE id = ?", (run,)
        ).fetchone()
        return row

    def forget(self, cluster: str) -> None:
        """List that cluster no more, nor those that had its name in its place before; their receipts stay."""
        self._db.execute(
            "UPDATE clusters SET forgotten = 1 WHERE ended IS NOT NULL"
            " AND (path, created) IN (SELECT b.path, b.created FROM clusters a JOIN clusters b"
            " ON a.path = b.path AND b.created <= a.created WHERE a.id = ?)",
            (cluster,),
        )

    def remove_run(self, run: str) -> None:
        """Remove a run; that it was is marked in the home folder."""
        self._db.execute("DELETE FROM runs WHERE id = ?", (run,))

    def prune(self, before: float) -> None:
        """Remove what ended, or was last seen, before that time."""
        old = "SELECT id FROM clusters WHERE COALESCE(ended, seen) < ?"
        for table in ("samples", "events"):
            self._db.execute(f"DELETE FROM {table} WHERE cluster IN ({old})", (before,))  # noqa: S608  # own names
        self._db.execute("DELETE FROM clusters WHERE COALESCE(ended, seen) < ?", (before,))
        self._db.execute("DELETE FROM runs WHERE created < ?", (before,))
