"""The body of a map means what it would mean at the top level of a notebook, for each item anew."""

from __future__ import annotations

import ast
from typing import Any

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.client.send.body import check_body, function_of
from jupyter_mlops.client.send.capture import names_of
from jupyter_mlops.client.send.texts import names_in_texts
from jupyter_mlops.core.errors import InvalidCell


def results(source: str, *items: Any, **variables: Any) -> list[Any]:
    """What a map over `items` gives, in a process that has only what travelled."""
    tree = ast.parse(source)
    check_body(tree)
    space = {"__name__": "__main__", **variables}
    texts = names_in_texts(tree) - {"item"}
    function = function_of(tree, "cell", "item", names_of(tree, {"item"}), space, texts)
    there = cloudpickle.loads(cloudpickle.dumps(function))
    assert set(space) - {"__builtins__"} == {"__name__", *variables}, "the notebook stays as it was"
    return [there(item) for item in items]


CELLS: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("acc += [item]\nacc", {"acc": [0]}, [[0, 1], [0, 2]]),
    ("if item:\n    acc += [item]\nacc", {"acc": [0]}, [[0, 1], [0, 2]]),
    ("total += item\ntotal", {"total": 10}, [11, 12]),
    ("seen |= {item}\nseen", {"seen": set()}, [{1}, {2}]),
    ("k = k + item\nk", {"k": 1}, [2, 3]),
    ("global n\nn += item\nn", {"n": 5}, [6, 7]),
    ("if item:\n    global n\n    n += item\nn", {"n": 5}, [6, 7]),
    ("def add():\n    global n\n    n += item\nadd()\nn", {"n": 5}, [6, 7]),
    ("n = item\ndef add():\n    global n\n    n += 1\nadd()\nn", {}, [2, 3]),
    ("class C:\n    k = k\nC.k + item", {"k": 5}, [6, 7]),
    ("k = item\nclass C:\n    k = k + 1\nC.k", {}, [2, 3]),
    ("class C:\n    size = k\nC.size", {"k": 5}, [5, 5]),
    ("class C:\n    item = item\nC.item", {}, [1, 2]),
    ("from __future__ import annotations\ndef f(x: nowhere): ...\nf.__annotations__['x']", {}, ["nowhere"] * 2),
    ("exec('y = item + k')\ny", {"k": 1}, [2, 3]),
    ("y = item\nexec('y += 1')\ny", {}, [2, 3]),
    ("eval('item + k')", {"k": 1}, [2, 3]),
    ("y = item\nglobals()['y'], 'y' in locals()", {}, [(1, True), (2, True)]),
    ("globals()['k'] + item", {"k": 1}, [2, 3]),
    ("import contextlib\nwith contextlib.suppress(KeyError):\n    k = {}[item]\nk", {"k": 7}, [7, 7]),
    ("(lambda: item)()", {}, [1, 2]),
    ("[i + item for i in xs]", {"xs": [1]}, [[2], [3]]),
    ("if item == 1:\n    return 'one'\nitem", {}, ["one", 2]),
    ("if False:\n    k = 1\nk", {"k": 5}, [5, 5]),
    ("k, exec('k = item')", {"k": 5}, [(5, None), (5, None)]),
    ("", {}, [None, None]),
]


@pytest.mark.parametrize(("source", "variables", "expected"), CELLS)
def test_names_mean_what_they_say(source: str, variables: dict[str, Any], expected: list[Any]) -> None:
    assert results(source, 1, 2, **variables) == expected


def test_functions_of_the_notebook_see_the_globals_of_the_body() -> None:
    space: dict[str, Any] = {"__name__": "__main__", "n": 1}
    exec("def now(): return n", space)
    tree = ast.parse("global n\nn = item\nnow()")
    function = function_of(tree, "cell", "item", names_of(tree, {"item"}), space, ())
    there = cloudpickle.loads(cloudpickle.dumps(function))
    assert [there(item) for item in (4, 5)] == [4, 5]


_names = st.sampled_from(["a", "b", "item"])
_values = st.one_of(_names, st.integers(0, 3).map(str), st.builds("({} + {})".format, _names, _names))
_simple = st.one_of(
    st.builds("{} = {}".format, _names, _values),
    st.builds("{} += {}".format, _names, _values),
    st.builds("exec('{} = {}')".format, _names, _values),
)
_parts = st.one_of(
    _simple,
    st.builds("if {}:\n    {}".format, _values, _simple),
    st.builds("def f():\n    global {}\n    {}\nf()".format, _names, st.just("a = b")),
    st.builds("def f():\n    global {0}\n    {0} = {1}\nf()".format, _names, st.integers(0, 3)),
    st.builds("class C:\n    {}\n    c = {}\n{} = C.c".format, _simple, _values, _names),
    st.builds("{} = [{} for {} in range(2)][-1]".format, _names, _values, _names),
    st.builds("{} and ({} := {})".format, _values, _names, _values),
)
_cells = st.lists(_parts, min_size=1, max_size=5).map("\n".join)


@given(_cells)
def test_a_body_gives_what_the_cell_would_give(source: str) -> None:
    """For each item anew, whatever the items before it did."""
    source += "\n(a, b, item)"
    expected = []
    for item in (5, 6):
        space: dict[str, Any] = {"a": 1, "b": 2, "item": item}
        tree = ast.parse(source)
        last = tree.body.pop()
        assert isinstance(last, ast.Expr)
        exec(compile(tree, "cell", "exec"), space)
        expected.append(eval(compile(ast.Expression(last.value), "cell", "eval"), space))
    assert results(source, 5, 6, a=1, b=2) == expected


@pytest.mark.parametrize("source", ["yield 1", "yield from f()", "from os import *", "if item:\n    from os import *"])
def test_what_can_not_be_part_of_a_map_is_said(source: str) -> None:
    with pytest.raises(InvalidCell, match="can't be part of a map"):
        check_body(ast.parse(source))


TEXTS = {
    'df.query("a > @limit and b in @names.x")': "limit names",
    'q = f"a > @limit + {n}"\ndf[df.c].query(q)': "limit",
    'df.eval("c = a * @k")': "k",
    'print("mail me@home")': "",
    'eval("a + b.c")': "a b",
    'exec("x = a\\ny = x")': "a",
    'eval("not python at all")': "",
    'globals()["a"], vars()["b"], locals().get("c")': "a b c",
    'd.get("a"), d["b"]': "",
    '[globals()[name] for name in ("a", "b")]': "a b",
    "import __main__\n__main__.a": "a",
    'getattr(sys.modules["__main__"], "a")': "__main__ a",
    'eval(compile("a + 1", "", "eval"))': "a",
    'import pandas as pd\npd.eval("a + b")': "a b",
    'duckdb.sql("select * from df join other on x")': "df other",
    'print("from here")': "",
}


@pytest.mark.parametrize("source", TEXTS)
def test_names_that_texts_mean(source: str) -> None:
    assert names_in_texts(ast.parse(source)) == set(TEXTS[source].split())
