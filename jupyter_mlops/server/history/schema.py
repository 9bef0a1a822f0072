"""The tables of the history, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3

#: Each step takes a file from version n to n + 1; a step that was released is never changed.
STEPS: tuple[str, ...] = (
    """
    CREATE TABLE clusters (
        name TEXT NOT NULL, created REAL NOT NULL, ended REAL, seen REAL NOT NULL,
        whole INTEGER NOT NULL DEFAULT 0, forgotten INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL, receipt TEXT, PRIMARY KEY (name, created)
    );
    CREATE TABLE samples (
        name TEXT NOT NULL, created REAL NOT NULL, time REAL NOT NULL, sample TEXT NOT NULL,
        PRIMARY KEY (name, created, time)
    ) WITHOUT ROWID;
    CREATE TABLE events (
        name TEXT NOT NULL, created REAL NOT NULL, seq INTEGER NOT NULL, event TEXT NOT NULL,
        PRIMARY KEY (name, created, seq)
    ) WITHOUT ROWID;
    CREATE TABLE runs (id TEXT PRIMARY KEY, cluster TEXT NOT NULL, created REAL NOT NULL, state TEXT NOT NULL);
    CREATE INDEX runs_by_time ON runs (created);
    """,
    "CREATE TABLE removed_runs (id TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID",
    # From here on clusters are known by `ClusterState.id`. Rows of clusters elsewhere lack their namespace: those that
    # ended a short while ago are listed by their place, with all of it.
    """
    ALTER TABLE clusters RENAME TO old_clusters;
    ALTER TABLE samples RENAME TO old_samples;
    ALTER TABLE events RENAME TO old_events;
    CREATE TABLE ids AS SELECT name, created, name || '.' ||
        COALESCE(CASE WHEN json_valid(state) THEN json_extract(state, '$.place') END, 'local') AS path
        FROM old_clusters;
    CREATE TABLE clusters (
        id TEXT PRIMARY KEY, path TEXT NOT NULL, name TEXT NOT NULL, created REAL NOT NULL, ended REAL,
        seen REAL NOT NULL, whole INTEGER NOT NULL DEFAULT 0, forgotten INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL, receipt TEXT
    );
    CREATE TABLE samples (
        cluster TEXT NOT NULL, time REAL NOT NULL, sample TEXT NOT NULL, PRIMARY KEY (cluster, time)
    ) WITHOUT ROWID;
    CREATE TABLE events (
        cluster TEXT NOT NULL, seq INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (cluster, seq)
    ) WITHOUT ROWID;
    INSERT INTO clusters
        SELECT path || '~' || printf('%x', CAST(round(created * 1000) AS INTEGER)), path, name, created, ended, seen,
        whole, forgotten OR (path != name || '.local' AND COALESCE(ended, seen) > strftime('%s', 'now') - 604800),
        state, receipt FROM old_clusters JOIN ids USING (name, created);
    INSERT INTO samples SELECT path || '~' || printf('%x', CAST(round(created * 1000) AS INTEGER)), time, sample
        FROM old_samples JOIN ids USING (name, created);
    INSERT INTO events SELECT path || '~' || printf('%x', CAST(round(created * 1000) AS INTEGER)), seq, event
        FROM old_events JOIN ids USING (name, created);
    DROP TABLE ids;
    DROP TABLE old_clusters;
    DROP TABLE old_samples;
    DROP TABLE old_events;
    CREATE INDEX clusters_by_name ON clusters (name)
    """,
    # Removed runs have marks in the home folder, which other windows can set, too.
    "DROP TABLE removed_runs",
)


def prepare(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest version. Safe with two servers at once.

    Raises
    ------
    sqlite3.Error : the file can't be used, or was written by a newer release.
    """
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(STEPS):
            raise sqlite3.DatabaseError(f"it is of version {version}, this release knows up to {len(STEPS)}")
        for number, step in enumerate(STEPS[version:], start=version + 1):
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
