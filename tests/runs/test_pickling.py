"""The user's objects as bytes: how deep, how often, and what goes along."""

from __future__ import annotations

import os
import pickle
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.client.send import pickling
from jupyter_mlops.client.send.environment import can_be_had
from jupyter_mlops.client.send.payload import ship_function
from jupyter_mlops.client.send.pickling import pack
from jupyter_mlops.core.errors import NotPicklable

from .cluster import until

#: Links of a chain that can travel. Nobody can raise the limit of Python 3.12, which is the lowest.
DEEP = 200 if sys.version_info[:2] == (3, 12) else 1_000


class Node:
    """A link of a chain."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner


def _chain(length: int, end: Any = None) -> Any:
    """Deeper than Python pickles by itself, up to version 3.11; nobody can raise the limit of later ones."""
    for _ in range(length):
        end = Node([end])
    return end


def test_deep_objects_are_packed() -> None:
    node = pickle.loads(pack(_chain(DEEP), {}).data)
    depth = 0
    while node is not None:
        node, depth = node.inner[0], depth + 1
    assert depth == DEEP


def test_what_can_not_travel_is_named_however_deep_it_is() -> None:
    chain = _chain(DEEP, threading.Lock())
    with pytest.raises(NotPicklable, match=r"'chain', a .*Node, can't travel.*lock"):
        pack({"chain": chain}, {"fine": 1, "chain": chain})


@pytest.mark.parametrize("kind", ["float64", "datetime64[ns]", "timedelta64[s]", "U5", "O"])
def test_what_is_empty_travels_whatever_it_is_made_for(kind: str) -> None:
    import numpy as np
    import pandas as pd

    array = np.array([], kind)
    for empty in (array, pd.Series(array), pd.DataFrame({"a": array}, index=pd.DatetimeIndex([]))):
        assert len(pickle.loads(pack({"empty": empty}, {}).data)["empty"]) == 0


def test_packing_that_takes_long_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        def __reduce__(self) -> Any:
            until(lambda: said)
            return int, ()

    monkeypatch.setattr(pickling, "PATIENT", 0.05)
    said: list[str] = []
    pack(Slow(), {"rows": 1}, said.append)
    assert said == ["Packing 'rows' for the workers …"]
    monkeypatch.setattr(pickling, "PATIENT", 600.0)  # no machine is so slow
    pack(1, {"rows": 1}, said.append)
    until(lambda: not [each for each in threading.enumerate() if getattr(each, "interval", 0) == 600.0])
    assert len(said) == 1


def _function(source: str, **variables: Any) -> Any:
    space = {"__name__": "__main__", **variables}
    exec(source, space)
    return pickle.loads(pack(space["f"], {}).data)


def test_functions_take_along_what_their_texts_and_classes_name() -> None:
    assert _function("def f(): return eval('a + b')", a=1, b=2)() == 3
    assert _function("def f(): return globals()['a']", a=1)() == 1
    assert _function("def f():\n    class C:\n        a = a\n        c = b\n    return C.a + C.c", a=1, b=2)() == 3
    assert _function("def f(): return eval('1') + len('lock')", lock=threading.Lock())() == 5
    inner = "def g(): return eval('a')\ndef f(): return g()"
    assert _function(inner, a=1)() == 1


def test_modules_that_compiled_code_makes_are_no_packages() -> None:
    import pandas

    def count() -> int:
        return len(pandas.DataFrame({"a": [pandas.Timestamp(0)]}))

    assert ship_function(count, "", "function").packages >= {"pandas"}
    assert ship_function(pandas.DataFrame({"a": [pandas.Timestamp(0)]}).size.__add__, "", "function").packages == set()
    assert can_be_had("pandas") and can_be_had("sklearn") and can_be_had("dask")
    assert not can_be_had("_cython_3_1_2") and not can_be_had("nowhere")


def test_an_item_that_can_not_travel_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with os.scandir(tmp_path) as entries, socket.socket() as line:
        for item, kind in ((next(entries), "posix.DirEntry"), (line, "socket.socket")):
            with pytest.raises(NotPicklable, match=rf"Item 12, a {kind}, can't travel .* make it inside"):
                pickling.pack_items([1, 2, item], 10)
    assert len(pickle.loads(pickling.pack_items([_chain(DEEP)], 0))) == 1
