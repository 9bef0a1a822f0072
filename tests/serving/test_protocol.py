"""What a service tells its callers: the Open Inference Protocol, plain records, and what is wrong with a request."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.core.errors import InvalidInput

from ..models.conftest import fitted, people
from .conftest import Caller

AGE = {"name": "age", "shape": [2], "datatype": "INT64", "data": [30, 80]}
INCOME = {"name": "income", "shape": [2], "datatype": "FP64", "data": [1000.5, 5000]}
INFER = "/v2/models/churn/infer"


@pytest.fixture(scope="module")
def saved() -> Callable[[int], tuple[Any, Any]]:
    """A model of a library, of tables."""
    return lambda seed: (fitted(seed), people(1))


def test_a_service_speaks_the_open_inference_protocol(call: Caller) -> None:
    assert call("GET", "/v2").told["name"] == "jupyter-mlops"
    assert call("GET", "/v2/health/live")[:2] == (200, {"live": True})
    assert call("GET", "/v2/health/ready")[:2] == (200, {"ready": True})
    assert call("GET", "/v2/models/churn/ready")[:2] == (200, {"name": "churn", "ready": True})
    assert call("GET", "/v2/models/churn/versions/1").told == {
        "name": "churn",
        "versions": ["1"],
        "platform": "sklearn",
        "inputs": [
            {"name": "age", "datatype": "INT64", "shape": [-1]},
            {"name": "income", "datatype": "FP64", "shape": [-1]},
        ],
        "outputs": [{"name": "predict", "datatype": "BYTES", "shape": [-1]}],
    }
    answer = call("POST", INFER, {"id": "a", "inputs": [INCOME, AGE], "outputs": [{"name": "predict"}]})
    expected = fitted(0).predict(pd.DataFrame({"age": [30, 80], "income": [1000.5, 5000]})).tolist()
    output = {"name": "predict", "shape": [2], "datatype": "BYTES", "data": expected}
    assert answer[:2] == (200, {"model_name": "churn", "model_version": "1", "id": "a", "outputs": [output]})
    matrix = {"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [[30, 1000.5], [80, 5000]]}
    assert call("POST", "/v2/models/churn/versions/1/infer", {"inputs": [matrix]}).told["outputs"] == [output]


def test_records_and_tables_are_answered_as_the_model_does(call: Caller, service: mlops.Service) -> None:
    rows = people(3)[0]
    expected = fitted(0).predict(rows)
    split = rows.to_dict("split")
    for body in (rows.to_dict("records"), {"records": rows.to_dict("records")}, {"dataframe_split": split}):
        told = call("POST", "/predict", body).told
        assert told["predictions"] == expected.tolist() and told["model_version"] == "1"
    assert (service.predict(rows) == expected).all()
    assert (service.predict(rows.to_dict("records")) == expected).all()
    assert service.predict({"age": 30, "income": 1000.5}).tolist() == ["left"]
    with pytest.raises(InvalidInput, match=r"'incom'.*Did you mean 'income'\?"):
        service.predict(rows.rename(columns={"income": "incom"}))
    with pytest.raises(InvalidInput, match="'income' has infinite values"):
        service.predict(rows.assign(income=np.inf))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "The request is no JSON"),
        (
            '{"inputs": [{"name": "age", "shape": [1], "datatype": "FP64", "data": [NaN]}]}',
            "JSON has no NaN: write null",
        ),
        ([1], "The request is no object"),
        ({}, "The request has no inputs"),
        ({"inputs": [AGE]}, "'income' is missing: the request lacks 'income'. Write null"),
        ({"inputs": [AGE, INCOME, AGE]}, "two inputs 'age'"),
        (
            {"inputs": [AGE, {**INCOME, "name": "incom"}]},
            "no input 'incom': the request has it. Did you mean 'income'?",
        ),
        ({"inputs": [AGE, {**INCOME, "shape": [3], "data": [1, 2, 3]}]}, "The shape of 'income' is wrong: it is [3]"),
        ({"inputs": [AGE, {**INCOME, "data": [1]}]}, "its shape [2] has 2 values, and data has 1"),
        ({"inputs": [AGE, {**INCOME, "data": [[1], 2]}]}, "no regular nest of lists"),
        ({"inputs": [AGE, {**INCOME, "shape": [-1]}]}, "'income' has no shape: it is [-1]"),
        ({"inputs": [AGE, {**INCOME, "shape": "2"}]}, "'income' has no shape: it is '2'"),
        ({"inputs": [AGE, {**INCOME, "datatype": "FLOAT"}]}, "The datatype of 'income' is 'FLOAT': there are BOOL, "),
        ({"inputs": [AGE, {**INCOME, "datatype": "BYTES"}]}, "The datatype of 'income' is BYTES: it must be FP64"),
        ({"inputs": [AGE, {**INCOME, "data": [1, "2"]}]}, "'income' is wrong: row 1 is '2', and must be a number"),
        ({"inputs": [AGE, {**INCOME, "data": [1, True]}]}, "row 1 is true, and must be a number"),
        ({"inputs": [AGE, {**INCOME, "data": [1, {}]}]}, "row 1 is an object, and must be a number"),
        ({"inputs": [AGE, {**INCOME, "data": [1, 10**400]}]}, "and must be a number"),
        ({"inputs": [AGE, {**INCOME, "data": [1, None]}]}, "Values of 'income' are missing, and churn@1 can't answer"),
        (
            {"inputs": [{**AGE, "data": [1, None]}, INCOME]},
            "row 1 is null, and must be a whole number. A value that isn't",
        ),
        ({"inputs": [{**AGE, "data": [1, 2.5]}, INCOME]}, "row 1 is 2.5, and must be a whole number"),
        ({"inputs": [{**AGE, "data": [1, 2**70]}, INCOME]}, "and must be a whole number"),
        ({"inputs": [{**AGE, "shape": [0], "data": []}, {**INCOME, "shape": [0], "data": []}]}, "has no rows"),
        ({"inputs": [{**AGE, "parameters": {"binary_data_size": 8}}]}, "'age' is binary"),
        ({"inputs": [AGE, INCOME], "outputs": [{"name": "x"}]}, "There is no output 'x': there is 'predict'"),
    ],
)
def test_a_request_that_is_wrong_is_told_why(call: Caller, body: Any, said: str) -> None:
    heard = call("POST", INFER, body)
    assert (heard.status, said in heard.error) == (400, True), heard


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"a": 1}, "The request is no list of records. Send [{"),
        ([], "has no rows"),
        ([[1, 2]], "Row 0 is no record: it is a list"),
        ([{"age": 1, "income": 2}, {"age": 1}], "'income' is missing: row 1 lacks 'income'"),
        ([{"age": 1, "income": 2, "x": 3}], "no column 'x': row 0 has it. There are: age and income"),
        ({"dataframe_split": {"columns": ["age"], "data": [[1, 2]]}}, "Row 0 of data has not as many values"),
    ],
)
def test_records_that_are_wrong_are_told_why(call: Caller, body: Any, said: str) -> None:
    heard = call("POST", "/predict", body)
    assert (heard.status, said in heard.error) == (400, True), heard


def test_what_is_not_there_is_told_with_what_is(call: Caller) -> None:
    assert (heard := call("GET", "/v2/models/chrun")).status == 404 and "this service has 'churn'" in heard.error
    assert (heard := call("GET", "/v2/models/churn/versions/2")).status == 404 and "1 is" in heard.error
    assert (heard := call("GET", "/nowhere")).status == 404 and "There are: v2/models/churn, " in heard.error
    assert (heard := call("GET", INFER)).status == 405 and heard.headers["Allow"] == "POST"


def test_nobody_comes_in_without_a_token_of_the_service(call: Caller, service: mlops.Service) -> None:
    token = service.token("billing")
    billing = Caller(service, token)
    assert billing("GET", "/v2").status == 200 and "billing" in service.callers
    for headers, said in (
        ({"Authorization": ""}, "This service wants a token: send the header 'Authorization: Bearer TOKEN'"),
        ({"Authorization": "Bearer é"}, "This token opens nothing here"),
        ({"Authorization": f"Bearer {token}x"}, "This token opens nothing here"),
    ):
        for path in ("/v2", "/metrics", "/predict", "/nowhere"):
            heard = call("POST", path, b"x" * 1000, **headers)
            assert heard.status == 401 and said in heard.error and heard.headers["WWW-Authenticate"] == "Bearer"
        assert call("GET", "/v2/health/live", **headers).status == 200
    again = service.token("billing")
    assert billing("GET", "/v2").status == 401 and Caller(service, again)("GET", "/v2").status == 200
    assert "only" in Caller(service, again)("GET", "/watch").error  # what others ask is the owner's business
    assert Caller(service)("GET", "/watch").told["version"] == 1
    refused = Caller(service, again)("POST", "/log/copy", {"since": 0})
    assert refused.status == 403 and "only" in refused.error
    assert Caller(service)("POST", "/log/copy", {"since": 0}).status == 200
    assert Caller(service)("POST", "/log/nothing", {}).status == 404
    assert Caller(service)("POST", "/log/copy", {"since": "long ago"}).status == 400
    assert Caller(service)("GET", "/log/copy").status == 405
    service.revoke("billing")
    assert Caller(service, again)("GET", "/v2").status == 401


def test_bodies_heads_and_times_have_bounds(call: Caller, service: mlops.Service) -> None:
    heard = call("POST", "/predict", b" " * 100_000_000)
    assert heard.status == 413 and "The body is larger than 16 MB" in heard.error
    assert call("POST", "/predict", b"x", **{"Content-Encoding": "gzip"}).status == 415
    heard = call("POST", INFER, b"{}\0\0", **{"Inference-Header-Content-Length": "2"})
    assert heard.status == 415 and "tritonclient wants binary_data=False" in heard.error
    where = urlsplit(service.address)
    odd_length = f"POST /predict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.token()}\r\nContent-Length: ²"
    for head in ("no HTTP at all", odd_length):
        with socket.create_connection((where.hostname, where.port or 0), timeout=30) as odd:
            odd.sendall(f"{head}\r\n\r\n".encode("latin-1"))
            assert odd.recv(100).startswith(b"HTTP/1.1 400 ")
    narrow = mlops.deploy("churn", name="narrow", patience="2 s")
    try:
        late = Caller(narrow)
        (stuck,) = (each.pid for each in narrow.state.replicas)
        assert stuck is not None
        os.kill(stuck, signal.SIGSTOP)
        with late:
            late.send("POST", "/predict", [{"age": 30, "income": 1000.5}])
            for _ in range(2):  # by then the one before is at its replica
                assert Caller(narrow)("GET", "/v2").status == 200
            narrow.stop()
            assert late.hear().status == 504, "who has asked is answered, though the service stops"
    finally:
        narrow.stop()


def test_what_happens_is_counted(call: Caller) -> None:
    call("POST", INFER, {"inputs": [AGE, INCOME]})
    call("POST", INFER, {})
    heard = call("GET", "/metrics")
    assert heard.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = dict(line.rsplit(" ", 1) for line in heard.told.splitlines() if not line.startswith("#"))
    labels = 'service="churn",version="1"'
    answered = [
        value for name, value in lines.items() if name.startswith("mlops_requests_total{") and 'code="200"' in name
    ]
    assert sum(map(float, answered)) >= 1 and float(lines[f"mlops_rows_total{{{labels}}}"]) >= 2
    assert float(lines[f"mlops_replicas_ready{{{labels}}}"]) == 2
    assert any(name.startswith("mlops_request_seconds_bucket{") for name in lines)
