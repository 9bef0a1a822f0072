from __future__ import annotations

import ast
import builtins
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.client.send.capture import names_of, parse_cell
from jupyter_mlops.core.errors import InvalidCell

CELLS = {
    "y = x + 1": "x",
    "x = 1\ny = x": "",
    "x = x + 1": "x",
    "x += 1": "x",
    "del x": "x",
    "def f(a):\n    return a + b\nf(1)": "b",
    "[i * k for i in xs]": "k xs",
    "{a: b for a, b in pairs if a}": "pairs",
    "for i in range(n):\n    t = i\nprint(t)": "n t",
    "if c:\n    a = 1\nelse:\n    a = 2\na": "c",
    "if c:\n    a = 1\na": "a c",
    "with open(p) as f:\n    d = f.read()\nd": "p",
    "try:\n    import z\nexcept E as e:\n    print(e, q)\nz": "E q z",
    "class A(B):\n    c = d\n    def m(self): return g": "B d g",
    "lambda a, *b: a + o": "o",
    "import numpy as np\nnp.zeros(n)": "n",
    "match v:\n    case [a, *r] if a > lim: u = a\n    case P(x=1): pass": "v lim P",
    "f'{x:{w}}'": "x w",
    "a[i] = 3": "a i",
    "o.attr = 1": "o",
    "(y := z)\ny": "z",
    "def f():\n    global q\n    q += 1\nf()": "q",
    "def f():\n    def g():\n        return h\n    return g": "h",
    "while cond: cond = nxt(cond)": "cond nxt",
    "@deco\ndef f(x: T = d) -> R: ...": "deco T d R",
    "await thing": "thing",
    "async def f():\n    await g()": "g",
    "print(*args, **kw)": "args kw",
    "return x": "x",
    "if c:\n    return x\nx = 1\nx": "c x",
    "def f():\n    return f(1)\nf()": "f",
    "class C:\n    k = k": "k",
    "class C:\n    a = 1\n    b = a + d": "d",
    "class C:\n    if c:\n        k = 1\n    e = k": "c k",
    "class C:\n    class D:\n        k = k\n    def m(self, n=n): return k": "k n",
    "def f():\n    class C:\n        k = k": "k",
    "[i for i in xs]\ni": "xs i",
    "[(last := i) for i in xs]\nlast": "xs last",
    "c and (k := 1)\nk": "c k",
    "k = 1 if c else 2\nk": "c",
    "acc += [n]": "acc n",
    "global g\ng += 1": "g",
    "from contextlib import suppress\nwith suppress(KeyError):\n    k = d['k']\nk": "d k",
    "import contextlib\nwith contextlib.suppress(KeyError):\n    k = 1\n    k\nk": "k",
    "async with s as t:\n    u = t\nu": "s",
    "try:\n    k = 1\nfinally:\n    k\nk": "k",
    "try:\n    k = 1\nexcept E:\n    raise\nk": "E",
    "while True:\n    k = 1\n    if c: break\nk": "c",
    "for i in xs:\n    k = 1\nelse:\n    k = 2\nk": "xs",
    "match v:\n    case 1: k = 1\n    case _: k = 2\nk": "v",
    "k = 1\ndel k\nk": "k",
    "try: ...\nexcept* E: k = 1\nk": "k",
    "from __future__ import annotations\nx": "x",
}

if sys.version_info < (3, 11):
    CELLS = {source: reads for source, reads in CELLS.items() if "except*" not in source}


@pytest.mark.parametrize("source", CELLS)
def test_the_names_that_a_cell_reads_from_outside(source: str) -> None:
    reads = {name for name in names_of(parse_cell(source, "cell")).reads if not hasattr(builtins, name)}
    assert reads == set(CELLS[source].split())


def test_the_item_of_a_map_comes_from_the_map() -> None:
    assert names_of(parse_cell("item * k", "cell"), known={"item"}).reads == {"k"}


def test_what_a_cell_assigns_in_order() -> None:
    source = "import os\na = 1\nfor b in x: c = b\ndef d(): e = 1\nclass F: g = 2\nwith h as i: pass"
    assert names_of(parse_cell(source, "cell")).assigns == ("os", "a", "b", "c", "d", "F", "i")


def test_code_is_looked_at_however_deep_it_is() -> None:
    for source in (
        " + ".join(f"a{n}" for n in range(900)),
        "if c0:\n    a0\n" + "".join(f"elif c{n}:\n    a{n}\n" for n in range(1, 400)),
        "-" * 500 + "a0",
        "a0" + ".b(c)" * 300,
    ):
        assert {"a0"} <= names_of(parse_cell(source, "cell")).reads


def test_code_that_python_can_not_compile_is_said() -> None:
    with pytest.raises(InvalidCell, match="nested too deeply"):
        names_of(parse_cell("-" * 50_000 + "a", "cell"))


@pytest.mark.parametrize("line", ["%time x", "!ls", "%%bash", "files = !ls", "a, b = %sx ls", "len?", "x.y??", "?len"])
def test_a_command_of_the_notebook_is_refused_by_its_line(line: str) -> None:
    todo = "Put %%time above %%mlrun" if line == "%time x" else "into a cell of its own"
    with pytest.raises(InvalidCell, match=f"Line 2 .* {todo}"):
        parse_cell(f"x = 1\n{line}\n", "cell")


_names = st.sampled_from(["a", "b", "c"])
_values = st.one_of(_names, st.integers(0, 9).map(str), st.builds("({} + {})".format, _names, _names))
_simple = st.builds("{} = {}".format, _names, _values)
_blocks = st.builds("if {}:\n    {}\nelse:\n    {}".format, _values, _simple, _simple)
_loops = st.builds("for {} in [{}]:\n    {}".format, _names, _values, _simple)
_withs = st.builds("with suppress(Exception):\n    {}\n    {}\n    {}".format, _simple, st.just("1 / 0"), _simple)
_tries = st.builds("try:\n    {}\n    1 / {}\nexcept Exception:\n    {}".format, _simple, _values, _simple)
_walrus = st.builds("{} and ({} := {})".format, _values, _names, _values)
_classes = st.builds("class {}:\n    {}\n    {}".format, _names, _simple, _simple)
_programs = st.lists(
    st.one_of(_simple, _blocks, _loops, _withs, _tries, _walrus, _classes), min_size=1, max_size=6
).map("\n".join)


@given(_programs)
def test_a_cell_never_lacks_a_name_that_it_needs(source: str) -> None:
    """With the reads it was found to have, and nothing else, a program runs."""
    reads = names_of(ast.parse(source)).reads
    with suppress(TypeError):  # a sum of classes: what comes after it isn't tried
        exec(source, {**dict.fromkeys(reads, 1), "suppress": suppress})
