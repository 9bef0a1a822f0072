"""An exception arrives as the one that was raised: with the fields of its class, however it can be pickled."""

from __future__ import annotations

import copyreg
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tblib.pickling_support import install

from jupyter_mlops.agent.failures import fields_of, record
from jupyter_mlops.agent.pickling import dumps
from jupyter_mlops.client.runs.execution.exceptions import exception_of


class Slotted(Exception):
    __slots__ = ("what",)

    def __init__(self, what: int) -> None:
        super().__init__("it says nothing of what it is")
        self.what = what


def throw(error: BaseException) -> None:
    raise error


def caught(call: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as info:
        call()
    return info.value


@pytest.fixture(autouse=True)
def _as_where_dask_was_imported() -> Iterator[None]:
    """It has tblib pickle all exceptions, which would lose fields."""
    before = copyreg.dispatch_table.copy()
    install()
    yield
    copyreg.dispatch_table.clear()
    copyreg.dispatch_table.update(before)


@pytest.mark.parametrize("travels", [True, False])
@pytest.mark.parametrize(
    "call",
    [
        lambda: throw(SystemExit(3)),
        lambda: throw(StopIteration(4)),
        lambda: throw(BlockingIOError(11, "busy", 3)),
        lambda: throw(Slotted(5)),
        lambda: throw(KeyError("key")),
        lambda: Path("/nowhere/at/all").read_bytes(),
        lambda: b"\xff".decode(),
        lambda: "ä".encode("ascii"),
        lambda: json.loads("{"),
        lambda: compile("1 +", "cell", "exec"),
        lambda: [].nothing,  # type: ignore[attr-defined]  # that is the error
        lambda: __import__("nowhere.at.all"),
    ],
)
def test_fields_arrive(call: Callable[[], Any], travels: bool) -> None:
    error = caught(call)
    if not travels:
        error.lock = threading.Lock()  # type: ignore[attr-defined]  # as a library may
    made = exception_of(record(error, "/ours/"))
    vars(error).pop("lock", None)
    assert type(made) is type(error) and (str(made), made.args) == (str(error), error.args)
    assert fields_of(made) == fields_of(error) and vars(made) == vars(error)


def test_one_in_a_result_arrives_as_well() -> None:
    (made,) = pickle.loads(dumps([caught(lambda: throw(SystemExit(3)))]))
    assert (type(made), made.code, made.__traceback__) == (SystemExit, 3, None)
