from __future__ import annotations

import ast
import builtins

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
}


@pytest.mark.parametrize("source", CELLS)
def test_the_names_that_a_cell_reads_from_outside(source: str) -> None:
    reads = {name for name in names_of(parse_cell(source, "cell")).reads if not hasattr(builtins, name)}
    assert reads == set(CELLS[source].split())


def test_the_item_of_a_map_comes_from_the_map() -> None:
    assert names_of(parse_cell("item * k", "cell"), known={"item"}).reads == {"k"}


def test_what_a_cell_assigns_in_order() -> None:
    source = "import os\na = 1\nfor b in x: c = b\ndef d(): e = 1\nclass F: g = 2\nwith h as i: pass"
    assert names_of(parse_cell(source, "cell")).assigns == ("os", "a", "b", "c", "d", "F", "i")


@pytest.mark.parametrize("line", ["%time x", "!ls", "%%bash"])
def test_a_command_of_the_notebook_is_refused_by_its_line(line: str) -> None:
    with pytest.raises(InvalidCell, match="Line 2"):
        parse_cell(f"x = 1\n{line}\n", "cell")


_names = st.sampled_from(["a", "b", "c"])
_values = st.one_of(_names, st.integers(0, 9).map(str), st.builds("({} + {})".format, _names, _names))
_simple = st.builds("{} = {}".format, _names, _values)
_blocks = st.builds("if {}:\n    {}\nelse:\n    {}".format, _values, _simple, _simple)
_loops = st.builds("for {} in [{}]:\n    {}".format, _names, _values, _simple)
_programs = st.lists(st.one_of(_simple, _blocks, _loops), min_size=1, max_size=6).map("\n".join)


@given(_programs)
def test_a_cell_never_lacks_a_name_that_it_needs(source: str) -> None:
    """With the reads it was found to have, and nothing else, a program runs."""
    reads = names_of(ast.parse(source)).reads
    exec(source, dict.fromkeys(reads, 1))
