"""A service whose answers are logged: they are labelled later, judged, and forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main

from ..models.conftest import fitted, people
from .conftest import Caller, until

#: Rows that a service is asked at a time.
ROWS = 150


@pytest.fixture(scope="module")
def saved() -> Callable[[int], tuple[Any, Any]]:
    """One that says how sure it is."""
    return lambda seed: (fitted(seed), people(1))


def test_answers_are_labelled_later_judged_and_forgotten(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over a restart, and after the service was stopped as well."""
    with pytest.raises(mlops.errors.InvalidInput, match=r"no feature 'incme'.*Did you mean 'income'"):
        mlops.deploy("churn@1", name="labelled", private=["incme"])
    service = mlops.deploy("churn@1", name="labelled", log=1.0, private=["income"], window="1 s")

    def logged() -> int:
        told = service.watch().performance
        return 0 if told is None or told.whole is None else told.whole.rows

    try:
        X, y = people(100, ROWS)
        other = X.rename(columns={"income": "Income"})
        mlops.save_model(fitted(0).fit(other, y), "churn", valid=(other, y))
        with pytest.raises(mlops.errors.InvalidInput, match=r"no feature 'income'.*private of churn@1.*'Income'"):
            mlops.deploy("churn@newest", name="labelled")
        answers, ids = service.predict(X, ids=True, key="anna ü")
        one = Caller(service)("POST", "/predict", X.iloc[:1].to_dict("records"), **{"X-Mlops-Key": "ben"}).told
        named = [{"name": name, "shape": [1], "datatype": "FP64", "data": X[name][:1].tolist()} for name in X]
        named[0]["datatype"] = "INT64"
        own = Caller(service)("POST", "/v2/models/churn/infer", {"id": "order-7", "inputs": named}).told
        assert len(set(ids)) == ROWS and one["id"] not in ids and own["id"] == "order-7"
        until(lambda: logged() == ROWS + 2)
        assert "estimated: no labels yet" in repr(service.watch()) and "can't see it" in repr(service.watch())

        assert "per 1,000 rows if it were a cloud machine" in repr(service.watch())

        file = tmp_path / "labels.csv"
        pd.DataFrame({"id": [*ids, "nobody"], "label": [*y, "left"]}).to_csv(file, index=False)
        assert main(["services", "label", "labelled", str(file)]) == 0
        assert capsys.readouterr().out == f"{ROWS} labels are new; 1 is unknown: nobody.\n"
        assert "1 label is new" in repr(service.label(["order-7"], [y[0]]))
        told = service.watch().performance
        assert told is not None and told.whole is not None and told.whole.labelled == ROWS + 1
        right = ((answers == y).sum() + (answers[0] == y[0])) / (ROWS + 1)
        assert told.whole.value == pytest.approx(right) and service.state.alarm is None

        table = service.requests()
        assert {"age", "request.label", "request.id"} <= {*table.columns} and "income" not in table.columns
        assert set(table["request.id"]) == {*ids, one["id"], "order-7"}
        files = [path for path in (home / "services" / "labelled" / "requests").rglob("*") if path.is_file()]
        assert not any(b"anna" in path.read_bytes() for path in files)
        assert service.forget("anna ü") == ROWS and len(service.requests()) == 2
        until(lambda: logged() == 2)
        service.stop()
        service = mlops.deploy("churn@1", name="labelled")
        _, ids = service.predict(people(1, ROWS)[0], ids=True)
        until(lambda: logged() == ROWS + 2)
        wrong = {"left": "stayed", "stayed": "left"}
        given = service.requests().set_index("request.id")["request.answer"]
        service.label({id: wrong[given[id]] for id in ids})
        told = service.watch().performance
        assert told is not None and told.alerts and told.alerts[0].phase == "suspected"
        service.stop()
        assert main(["services", "forget", "labelled", "--key", "ben"]) == 0
        assert "1 row of this key" in capsys.readouterr().out
        assert main(["services", "forget", "labelled", "ben"]) != 0
    finally:
        service.stop()
