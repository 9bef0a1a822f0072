"""A service that the tests of a file share, and a way to call it as anybody would."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest

import jupyter_mlops as mlops

from ..models.conftest import people
from ..runs.cluster import until as until

#: An age and an income.
ROW = [[30.0, 1000.5]]

#: Callers at the same time.
CALLERS = 4

#: Seconds that something may take that is waited for.
PATIENCE = 150.0


class Heard(NamedTuple):
    """An answer."""

    status: int
    told: Any
    #: By their names, in whatever case.
    headers: Mapping[str, str]

    @property
    def error(self) -> str:
        assert set(self.told) == {"error"}, self.told
        return str(self.told["error"])


class Caller:
    """Calls a service by HTTP, over a connection for each call; within `with`, over one for all."""

    def __init__(self, service: mlops.Service, token: str | None = None) -> None:
        where = urlsplit(service.address)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)
        self.headers = {"Authorization": f"Bearer {token or service.token()}"}
        self._keeps = False

    def __enter__(self) -> Caller:
        self._keeps = True
        self._connection.connect()
        self._connection.auto_open = 0  # one that is closed is an error then
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Heard:
        self.send(method, path, body, **headers)
        return self.hear()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> None:
        """Ask; `hear` is to follow."""
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        try:
            self._connection.request(method, path, data, {**self.headers, **headers})
        except BaseException:
            self._connection.close()
            raise

    def send_parts(self, path: str, parts: Iterable[bytes]) -> None:
        """Send a body whose length isn't said; `hear` is to follow."""
        self._connection.request("POST", path, parts, self.headers, encode_chunked=True)

    def hear(self) -> Heard:
        """The answer to what was sent."""
        try:
            answer = self._connection.getresponse()
            text = answer.read()
        finally:
            if not self._keeps:
                self._connection.close()
        told = json.loads(text) if answer.headers["Content-Type"] == "application/json" else text.decode()
        return Heard(answer.status, told, answer.headers)


@contextmanager
def load(service: mlops.Service) -> Iterator[Counter[tuple[int, str]]]:
    """Callers that ask again and again, and leave the CPU time for what they wait for; what they heard: status and
    version."""
    heard: Counter[tuple[int, str]] = Counter()
    lock = threading.Lock()

    def ask(over: threading.Event) -> None:
        with Caller(service) as call:
            while not over.wait(0.03):
                answer = call("POST", "/predict", ROW)
                with lock:
                    heard[answer.status, str(answer.told.get("model_version", answer.told))] += 1

    with asking(ask):
        yield heard


@contextmanager
def asking(ask: Callable[[threading.Event], None]) -> Iterator[None]:
    """Have callers ask until it is over, as they hear by the event."""
    over = threading.Event()
    threads = [threading.Thread(target=ask, args=(over,)) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def plain(seed: int = 0) -> Callable[[Any], Any]:
    """A model that tells of `people` who left. What serves it needn't import scikit-learn; nor pandas, where it was
    saved with `numbers`: they take three quarters of the CPU of a replica's start."""
    edge = 4000.0 + 20 * seed

    def predict(X: Any) -> Any:
        age, income = np.asarray(X, float).T
        return np.where(income + 20 * age < edge, "left", "stayed")

    return predict


def numbers(seed: int = 0, rows: int = 400) -> tuple[Any, Any]:
    """`people`, as numbers."""
    X, left = people(seed, rows)
    return X.to_numpy(float), left


@pytest.fixture(scope="module")
def saved() -> Callable[[int], tuple[Any, Any]]:
    """The model of a seed, with held-out rows. Files for which it matters what a model is, and that its rows are a
    table, have another one."""
    return lambda seed: (plain(seed), numbers(1))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, saved: Callable[[int], tuple[Any, Any]]) -> Iterator[Path]:
    """A home folder for the tests of a file, with two versions of a model, and one that was saved
    without rows."""
    path = tmp_path_factory.mktemp("serving") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_MLOPS_HOME", str(path))
        for seed in (0, 7):
            model, valid = saved(seed)
            mlops.save_model(model, "churn", valid=valid)
        mlops.model("churn").promote(1)
        mlops.save_model(len, "blind")
        yield path


@pytest.fixture(scope="module")
def service(home: Path) -> Iterator[mlops.Service]:
    """The champion, by two replicas."""
    made = mlops.deploy("churn", replicas=2)
    yield made
    made.stop()


@pytest.fixture
def call(service: mlops.Service) -> Caller:
    return Caller(service)
