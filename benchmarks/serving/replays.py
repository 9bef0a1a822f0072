"""A replay of 1,000,000 logged rows on two workers, against one `predict` over all of them, divided by two."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pandas as pd
from sklearn.ensemble import RandomForestClassifier

import jupyter_mlops as mlops
from jupyter_mlops.core.logged import LoggedRow
from jupyter_mlops.home.services import service_folders

from ..measure import Result, compared, in_turn, timed
from . import models

ROWS, AT_ONCE, ROUNDS = 1_000_000, 20_000, 3


def run() -> Iterator[Result]:
    """scikit-learn's forest as it comes, which is asked for features with three decimals."""
    X, y = models.rows(5000)
    old, new = (RandomForestClassifier(random_state=seed).fit(X, y) for seed in (0, 1))
    for model in (old, new):
        mlops.save_model(model, "replayed", valid=models.rows(2000, 1))
    service = mlops.deploy("replayed@1")
    service.stop()  # its log is written here, and not by itself
    table = models.rows(ROWS, 2)[0].round(3)
    _fill(service.name, table)
    cluster = mlops.start("bench", workers=2)
    cluster.wait(2)

    def replayed() -> float:
        begun = time.perf_counter()
        found = mlops.replay("replayed@2", cluster=cluster, quiet=True).result()
        assert found.compared.rows == ROWS and not found.errors, found
        return time.perf_counter() - begun

    try:
        mlops.run(abs, 1, cluster=cluster, quiet=True).result()
        ours, peer = in_turn(replayed, lambda: timed(lambda: new.predict(table)) / 2, ROUNDS)
    finally:
        cluster.stop()
    name = f"replay of {ROWS:,} logged rows on 2 workers, scikit-learn's random forest"
    yield compared(name, "s", ours, peer, "one predict over all, / 2", 1.3)


def _fill(name: str, table: pd.DataFrame) -> None:
    """Log rows as if they had been asked lately; then they are put into files, as a service does each hour."""
    (folder,) = (each for each in service_folders() if each.name == name)
    log, now = folder.requests, time.time()
    record = folder.spec()
    for start in range(0, len(table), AT_ONCE):
        some = table.iloc[start : start + AT_ONCE].to_dict("records")
        rows = [
            LoggedRow(id=f"r-{start + at}", time=now - 3600, answer=str(at % 2), features=json.dumps(each))
            for at, each in enumerate(some)
        ]
        log.add(rows, record.digest, record.version, "classification", "")
        log.pack(now)
    log.pack(now + 3600)
