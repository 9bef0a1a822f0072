"""What a cell changes in place, in a real kernel: it comes back, or a line says that it stayed there."""

from __future__ import annotations

import ast

import pytest

from jupyter_mlops.client.send.mutation import changed_in_place

from .kernels import Kernel

SETUP = """
import collections, dataclasses, numpy, pandas, random
from sklearn.linear_model import LinearRegression

class Point:
    def __init__(self, x):
        self.x = x

@dataclasses.dataclass(slots=True)
class Narrow:
    x: int
    parent: object = None

class Once:
    loaded = []

    def __setstate__(self, state):  # refuses to be loaded a second time in a process
        if self.loaded:
            raise RuntimeError("once is enough")
        self.loaded.append(1)
        self.__dict__.update(state)

once = Once()
once.x = 1
acc, conf, seen = [1], {"k": 1}, {1}
df = pandas.DataFrame({"a": [3, 1, 2]})
wide = pandas.DataFrame({"a": numpy.arange(2_000_000.0)})
array, large = numpy.zeros(3), numpy.zeros(2_000_000)
model, point, rng = LinearRegression(), Point(1), numpy.random.default_rng(1)
nested = {"deep": [Point(1)]}
rows = list({"n": n} for n in range(3))
narrow, whole = Narrow(1), array[:2]
same_acc, holding, pipe = acc, {"acc": acc, "df": df}, [model]
point.child = Point(2)
point.child.parent = point
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "look", "is_there"),
    [
        ("acc.append(2)", "acc", "[1, 2]"),
        ("conf['k'] = 2; conf['new'] = 3", "conf", "{'k': 2, 'new': 3}"),
        ("seen |= {2}", "seen", "{1, 2}"),
        ("del rows[0]", "rows", "[{'n': 1}, {'n': 2}]"),
        ("df['b'] = df.a * 2", "list(df.columns), int(df.b.sum())", "(['a', 'b'], 12)"),
        ("df.loc[0, 'a'] = 9", "df.a.tolist()", "[9, 1, 2]"),
        ("df.sort_values('a', inplace=True)", "df.a.tolist()", "[1, 2, 3]"),
        ("wide.loc[1_999_999, 'a'] = -1", "float(wide.a.iloc[-1])", "-1.0"),
        ("array[1] = 5", "array.tolist()", "[0.0, 5.0, 0.0]"),
        ("large[1_000_000] = 5", "float(large.sum())", "5.0"),
        ("model.fit([[0.], [1.]], [1., 3.])", "round(float(model.coef_[0]), 3)", "2.0"),
        ("point.x = 7", "point.x, isinstance(point, Point)", "(7, True)"),
        ("nested['deep'][0].x = 7", "nested['deep'][0].x", "7"),
        ("def grow(things):\n    things.extend('ab')\ngrow(acc)", "acc", "[1, 'a', 'b']"),
        ("setattr(point, 'x', 8)", "point.x", "8"),
        ("narrow.x = 9; made = Narrow(2)", "narrow, made.x", "(Narrow(x=9, parent=None), 2)"),
        ("acc.append(2)", "same_acc is acc is holding['acc'], same_acc", "(True, [1, 2])"),
        ("df['b'] = 3; df.attrs['of'] = 1", "holding['df'].b.tolist(), df.attrs", "([3, 3, 3], {'of': 1})"),
        ("array[1] = 5", "whole.tolist()", "[0.0, 5.0]"),
        ("model.fit([[0.], [1.]], [1., 3.])", "pipe[0].coef_.round(3).tolist()", "[2.0]"),
        ("acc.append(2); other = acc", "other is acc is same_acc, acc", "(True, [1, 2])"),
        ("acc.append(2); pair = [acc]", "pair[0] is acc is same_acc, acc", "(True, [1, 2])"),
        ("acc.append(2); nested['acc'] = acc", "nested['acc'] is acc is same_acc, acc", "(True, [1, 2])"),
        ("point.x = 3; point.child.x = 4", "point.x, point.child.x, point.child.parent is point", "(3, 4, True)"),
        ("acc.append(once.x)", "acc", "[1, 1]"),
        ("rng.random(); None", "rng.random() == numpy.random.default_rng(1).random(2)[1]", "True"),
        ("import random\nrandom.shuffle(acc)\nacc += [0]", "acc", "[1, 0]"),
    ],
)
def test_it_comes_back(kernel: Kernel, cell: str, look: str, is_there: str) -> None:
    kernel.run(SETUP)
    shown = kernel.run(f"%%mlrun\n{cell}")
    assert not shown.error and "changed on" not in shown.text, shown
    shown = kernel.run(look)
    assert shown.result in (is_there, f"np.{is_there}_"), shown


@pytest.mark.slow
def test_what_was_only_read_stays_what_it_is(kernel: Kernel) -> None:
    kernel.run(SETUP + "names = ['acc', 'conf', 'df', 'wide', 'large', 'model', 'point', 'nested']\n")
    kernel.run("before = {name: id(globals()[name]) for name in names}")
    cell = "float(df.a.sum() + wide.a.sum() + large.sum()), acc, conf['k'], model.get_params(), point.x, nested"
    assert not kernel.run(f"%%mlrun\n{cell}").error
    assert kernel.run("[name for name in names if id(globals()[name]) != before[name]]").result == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("%%mlrun --out n\nacc.append(2)\nn = 1", "'acc' changed on the worker; here it is as it was. --out names"),
        ("%%mlrun --keep\nacc.append(2)\nn = 1", "'acc' changed on the worker; here it is as it was. Without --keep"),
        ("%%mlrun --map range(3)\nacc.append(item)", "'acc' changed on the workers, each of which has a copy"),
        ("%%mlrun --map range(3)\nconf['k'] += item", "'conf' changed on the workers"),
        ("mlops.run(lambda: acc.append(1)).result()", "'acc' changed on the worker; here it is as it was. What is"),
        ("mlops.map(lambda n: acc.append(n) or conf.update(n=n), range(3)).result()", "'acc' and 'conf' changed on"),
    ],
)
def test_what_does_not_come_back_is_said_once(kernel: Kernel, cell: str, line: str) -> None:
    kernel.run(SETUP)
    shown = kernel.run(cell)
    assert not shown.error and shown.text.count("changed on the worker") == 1 and line in shown.text, shown
    assert kernel.run("acc, conf").result == "([1], {'k': 1})"


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell",
    [
        "%%mlrun\nPoint.count = 5",
        "%%mlrun\npoint.__class__.names = ['a']\npoint",
        "%%mlrun\nPoint.shared.append(1)",
        "%%mlrun --map range(2)\nPoint.count = item",
        "mlops.run(lambda: setattr(Point, 'count', 5)).result()",
    ],
)
def test_what_classes_hold_stays_here_and_is_said(kernel: Kernel, cell: str) -> None:
    kernel.run(SETUP + "\nPoint.shared = []")
    shown = kernel.run(cell)
    assert not shown.error and shown.text.count("'Point' changed on the worker") == 1, shown
    assert kernel.run("hasattr(Point, 'count'), hasattr(Point, 'names'), Point.shared").result == "(False, False, [])"


@pytest.mark.slow
def test_what_can_not_be_loaded_here_is_said(kernel: Kernel) -> None:
    kernel.run(
        SETUP + "\nhere = True\nclass There:\n    def __setstate__(self, state):\n        vars(self).update(state)"
    )
    kernel.run("There.__setstate__ = lambda self, state: 1 / 0 if 'here' in globals() else None\nthere = There()")
    for cell in ("%%mlrun\nmade = There()\nmade.x = 1", "%%mlrun --map range(2)\nmade = There()\nmade.x = 1\nmade"):
        shown = kernel.run(cell)
        assert "can't be loaded in the notebook: ZeroDivisionError" in shown.error, shown
        assert "jupyter_mlops/" not in "".join(shown.traceback), shown


@pytest.mark.slow
def test_it_can_be_asked_for_by_name(kernel: Kernel) -> None:
    kernel.run(SETUP)
    assert not kernel.run("%%mlrun --out acc\nacc.append(2)\nconf.clear()\nfresh = 1").error
    assert kernel.run("acc, conf, 'fresh' in dir()").result == "([1, 2], {'k': 1}, False)"


@pytest.mark.slow
def test_what_is_too_large_to_compare_comes_back_when_the_code_says_so(kernel: Kernel) -> None:
    kernel.run("rows = [{'n': n, 'text': 'x' * 1000} for n in range(70_000)]\nother = list(rows)")
    assert not kernel.run("%%mlrun\nrows.append(len(other))").error
    assert kernel.run("len(rows), len(other)").result == "(70001, 70000)"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("a.b.c = 1; d[0] += 1; del e['k']; f.g[0].append(1)", ["a", "d", "e", "f"]),
        ("a.fit(b); c.dropna(inplace=True); d.dropna(inplace=False); e.mean()", ["a", "c"]),
        ("def f():\n    a.pop()\nx = 1; y += 1", ["a"]),
        ("f().append(1); (a + b)[0] = 1", []),
    ],
)
def test_what_the_codes_own_words_say(code: str, names: list[str]) -> None:
    assert changed_in_place(ast.parse(code)) == names
