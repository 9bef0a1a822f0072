"""Scoring on a real cluster: each row once, whatever is cancelled or killed; what fails is named."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.dataframe
import numpy as np
import pandas as pd
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import Conflict, RunCancelled
from jupyter_mlops.core.run import per_thousand

from .cluster import LONG, until
from .test_functions import workers_of

pytestmark = pytest.mark.slow

PARTS, ROWS = 6, 50


def table(start: int, rows: int) -> pd.DataFrame:
    return pd.DataFrame({"id": np.arange(start, start + rows), "x": np.arange(start, start + rows, dtype=float)})


def doubling(folder: Path) -> Callable[[Any], Any]:
    """A model that says when it is asked, and waits with all but the first three parts until it may go on."""

    def answer(rows: Any) -> Any:
        first = int(rows["x"].iloc[0])
        if first >= 0:
            (folder / f"asked-{first}").touch()
            while first >= 3 * ROWS and not (folder / "go").exists():
                time.sleep(0.05)
            with (folder / "answered").open("a") as log:
                log.write(f"{first}\n")
        return 2 * rows["x"].to_numpy()

    return answer


def scored(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder).sort_values("id", ignore_index=True)


def test_what_was_cancelled_goes_on_and_each_row_is_scored_once(
    cluster: mlops.Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mlops.save_model(doubling(tmp_path), "doubling", example=pd.DataFrame({"x": [-1.0]}))
    (tmp_path / "in").mkdir()
    for number in range(PARTS):
        table(number * ROWS, ROWS).to_parquet(tmp_path / "in" / f"day-{number}.parquet")
    out, asked = tmp_path / "out", (f"{tmp_path}/in/*.parquet",)
    first = mlops.score("doubling@1", *asked, out=out, cluster=cluster, quiet=True)
    until(lambda: len(list(out.glob("*.parquet"))) == 3 and (tmp_path / f"asked-{3 * ROWS}").exists())
    with pytest.raises(Conflict, match=r"is being scored into: run [0-9a-f]{12}"):
        mlops.score("doubling@1", *asked, out=out, cluster=cluster)
    first.cancel()
    with pytest.raises(RunCancelled):
        first.result(LONG)
    assert len(scored(out)) == 3 * ROWS, "only whole parts are there"
    for path in tmp_path.glob("asked-*"):
        path.unlink()
    second = mlops.score("doubling@1", *asked, out=out, cluster=cluster)
    assert f"3 of 6 parts are in {out} already" in capsys.readouterr().out
    until(lambda: any(tmp_path.glob("asked-*")))
    for worker in workers_of(cluster):
        os.kill(worker.pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    result = second.result(LONG)
    assert (result.rows, result.parts, result.scored, result.failed) == (6 * ROWS, 6, 3 * ROWS, [])
    assert str(result).startswith(f"doubling@1: 300 rows in 6 parts in {out}; 150 scored now")
    there = scored(out)
    assert list(there.id) == list(range(6 * ROWS)) and list(there.prediction) == list(2.0 * there.id)
    answered = [int(line) for line in (tmp_path / "answered").read_text().split()]
    assert sorted(each for each in answered if each < 3 * ROWS) == [0, ROWS, 2 * ROWS], "what is there stays"
    assert second.run is not None
    until(lambda: mlops.get_run(second.run.id).record.rows == 3 * ROWS)
    assert per_thousand(second.run.record) is None, "nobody knows what this cluster costs"
    third = mlops.score("doubling@1", *asked, out=out, cluster=cluster, quiet=True)
    assert third.run is None and (third.result().rows, third.result().scored) == (6 * ROWS, 0)


def test_what_changed_is_scored_anew_what_fails_is_named_and_others_are_not_mixed_in(
    cluster: mlops.Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for factor in (2, 3):
        mlops.save_model(lambda X, by=factor: by * X["x"].to_numpy(), "times", example=pd.DataFrame({"x": [1.0]}))
    for number in range(3):
        table(number * ROWS, ROWS).assign(id=lambda rows: rows.id.map("{:03}".format)).to_csv(
            f"day-{number}.csv.gz", index=False
        )
    asked = ["score", "times@1", "*.csv.gz", "--out", "out", "--cluster", cluster.name]
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["rows"], told["scored"], told["failed"]) == ("times@1", 150, 150, [])
    assert list(scored(tmp_path / "out").id)[:2] == ["000", "001"], "keys keep their zeros"
    table(500, 2 * ROWS).assign(x="none").to_csv("day-1.csv.gz", index=False)
    assert main(asked) == 2 and "The column 'x' has text: in " in capsys.readouterr().err
    [kept] = (tmp_path / "out").glob("day-2*")
    since = kept.stat().st_mtime_ns
    (tmp_path / "out" / ".day-1-00000000.parquet.1-2").write_text("what a killed worker left")
    table(500, 2 * ROWS).to_csv("day-1.csv.gz", index=False)
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "2 of 3 parts are in" in said and "200 rows in 3 parts" in said and "100 scored now" in said
    assert not list((tmp_path / "out").glob(".day*"))
    assert kept.stat().st_mtime_ns == since
    with pytest.raises(Conflict, match=r"has scores of times@1: and not of times@2\. Name another folder, or begin"):
        mlops.score("times@2", "*.csv.gz", out="out", cluster=cluster)
    with pytest.raises(Conflict, match="1 part of it is no part of this one: day-0-"):
        mlops.score("times@1", ["day-1.csv.gz", "day-2.csv.gz"], out="out", cluster=cluster)
    with pytest.raises(Conflict, match=r"has day-0\.csv\.gz, day-1\.csv\.gz, day-2"):
        mlops.score("times@1", "*.csv.gz", out=tmp_path, cluster=cluster)
    lazy = dask.dataframe.from_pandas(table(0, 4 * ROWS).set_index("id"), npartitions=4)
    broken = lazy.map_partitions(
        lambda rows: rows.assign(x="none") if rows.index[0] == ROWS else rows, meta=table(0, 1).set_index("id")
    )
    result = mlops.score("times@2", broken, out="out", fresh=True, cluster=cluster, quiet=True).result(LONG)
    assert [(each.index, each.item) for each in result.failed] == [(1, "partition 1")]
    assert "1 part failed: Item 1 (partition 1) raised InvalidInput: The column 'x' has text: times@2 takes" in str(
        result
    )
    there = scored(tmp_path / "out")
    assert len(there) == result.rows == 3 * ROWS and list(there.prediction) == list(3.0 * there.id)
