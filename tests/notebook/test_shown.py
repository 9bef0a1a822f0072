"""What is seen under a cell, in a real kernel: what its code displays, and the errors that it raises."""

from __future__ import annotations

import re
import sys

import pytest

from .kernels import Kernel, Shown

pytestmark = pytest.mark.slow

SETUP = """
import asyncio, json, threading
import matplotlib.pyplot as plt, pandas
from IPython.display import HTML

class Mine(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.a, self.b = a, b

class Doubled(Exception):
    def __init__(self, what):
        super().__init__(f"failed with {what}")
        self.what = what

class Holding(Exception):
    pass

def deep(n):
    before = "the line"
    if n:
        return deep(n - 1)
    after = "the error"
    raise Mine(1, 2)

def throw(error):
    raise error

async def later(item=0):
    throw(Mine(1, 2))

def caught(call):
    try:
        mlops.run(call).result()
    except mlops.errors.RunError as error:
        return error.__cause__
"""


def looks(shown: Shown) -> list[dict[str, str]]:
    """All that was displayed but for the run's line and its bar."""
    own = ("application/vnd.jupyter.widget-view+json",)
    return [
        data
        for data in shown.displays.values()
        if not any(mime in data for mime in own) and not data["text/plain"].startswith(("done", "failed"))
    ]


def test_what_a_cell_displays(kernel: Kernel) -> None:
    cell = (
        "%%mlrun\ndisplay(pandas.DataFrame({'a': [1]}), HTML('<b>bold</b>'))\n"
        "from IPython.display import display as shown\nshown({'text/plain': 'raw'}, raw=True)\n7"
    )
    shown = kernel.run(cell)
    table, html, raw = looks(shown)
    assert "<table" in table["text/html"] and html["text/html"] == "<b>bold</b>" and raw["text/plain"] == "raw"
    assert shown.result == "7" and not shown.text, shown.text


def test_what_can_not_travel_is_shown_as_it_looks(kernel: Kernel) -> None:
    odd = "class A:\n    def __reduce__(self):\n        raise OSError\n    def _repr_html_(self):\n        return '<b>'"
    (shown,) = looks(kernel.run(f"%%mlrun\n{odd}\n    def _repr_json_(self):\n        return {{1: {{2}}}}\nA()"))
    assert shown["text/html"] == "<b>" and shown["application/json"] == {"1": "{2}"}


def test_widgets_are_displayed_as_text(kernel: Kernel) -> None:
    shown = kernel.run("%%mlrun\nimport ipywidgets\ndisplay(ipywidgets.IntSlider())")
    assert not shown.error and "IntSlider" in looks(shown)[0]["text/plain"]


def test_what_is_displayed_can_change(kernel: Kernel) -> None:
    shown = kernel.run("%%mlrun\nhandle = display('one', display_id=True)\nfor n in range(200):\n    handle.update(n)")
    assert [data["text/plain"] for data in looks(shown)] == ["199"]


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        ("%%mlrun\nplt.plot([1, 2])\nplt.show()\nplt.figure(); plt.plot([2, 1]);", 2),
        ("%%mlrun --map range(3)\nplt.plot([item])\nplt.show()", 3),
        ("%%mlrun --map range(3)\nplt.figure()\nplt.plot([item]);", 3),
        ("mlops.run(lambda: plt.plot([1]) and None).result()", 1),
        ("mlops.map(lambda n: display(plt.figure()) or plt.close('all'), range(2)).result();", 2),
        ("%matplotlib inline\n%mlcluster\nfig = 1", 0),
        ("%%mlrun\nfig, axes = plt.subplots()\naxes.plot([1])\nNone", 1),
    ],
)
def test_figures(kernel: Kernel, cell: str, count: int) -> None:
    shown = kernel.run(cell)
    assert not shown.error, shown
    pictures = [data for data in looks(shown) if "image/png" in data]
    assert len(pictures) == count and all(data["image/png"].startswith("iVBOR") for data in pictures), looks(shown)


def test_what_was_displayed_before_an_error(kernel: Kernel) -> None:
    shown = kernel.run("%%mlrun\ndisplay(HTML('<b>before</b>'))\n1 / 0")
    assert looks(shown)[0]["text/html"] == "<b>before</b>" and "ZeroDivisionError" in shown.error


def test_many_displays_are_cut_with_a_remark(kernel: Kernel) -> None:
    shown = kernel.run("%%mlrun --map range(300)\nimport time\ntime.sleep(0.005)\ndisplay(item)")
    assert len(looks(shown)) == 100 and "[100 things are shown; the run displays more]" in shown.text


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("input('name? ')", "EOFError: nobody can type an answer on a worker"),
        ("get_ipython().run_line_magic('time', '1')", "NameError: get_ipython() is the notebook's own"),
        ("def f():\n    return get_ipython()\nf()", "NameError: get_ipython() is the notebook's own"),
        ("exit(3)", "SystemExit: 3"),
        ("import getpass\ngetpass.getpass('password? ')", "EOFError: nobody can type an answer on a worker"),
        ("breakpoint()", "EOFError: nobody can type to a debugger on a worker"),
    ],
)
def test_what_only_a_notebook_has(kernel: Kernel, cell: str, sentence: str) -> None:
    shown = kernel.run(f"%%mlrun\n{cell}")
    assert sentence in shown.error, shown.error


def test_a_library_that_asks_for_a_notebook_finds_none(kernel: Kernel) -> None:
    assert kernel.run("%%mlrun\nimport IPython\nmine = get_ipython\nIPython.get_ipython() is None").result == "True"
    asks = "%%mlrun\nimport types\nlibrary = types.ModuleType('library')\nexec('get_ipython', vars(library))"
    assert "name 'get_ipython' is not defined" in kernel.run(asks).error  # as `rich` asks
    assert kernel.run("mine() is get_ipython()").result == "True"


def plain(shown: Shown) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(shown.traceback))


def test_a_traceback_has_the_users_own_lines(kernel: Kernel) -> None:
    text = plain(kernel.run("%%mlrun\n\n\nfirst = 1\nsecond = 2\n\ndeep(1)\nlast = 3"))
    assert "----> 7 deep(1)" in text and "return deep(n - 1)" in text and "raise Mine(1, 2)" in text
    arrows = re.findall(r"-> \d+ (.*)", text)
    assert [line.strip() for line in arrows] == ["deep(1)", "return deep(n - 1)", "raise Mine(1, 2)"]
    assert "jupyter_mlops" not in text and text.count("Mine: 1 and 2") == 2


@pytest.mark.parametrize(
    ("cell", "places"),
    [
        ("%%mlrun --map range(2)\n\nx = 1\n1 / 0", ["1 / 0"]),
        ("%%mlrun --map range(2)\nimport asyncio\nawait asyncio.sleep(0)\n1 / 0", ["1 / 0"]),
        ("%%mlrun\n\nclass A:\n    x = 1\n    y = 1 / 0", ["class A:", "A: y = 1 / 0"]),
        ("%%mlrun\n\nlist(1 / n for n in [0])", ["list(1 / n for n in [0])", "<genexpr>: list(1 / n for n in [0])"]),
        ("%%mlrun\nawait later()", ["await later()", "later: throw(Mine(1, 2))", "throw: raise error"]),
        ("mlops.map(later, [1, 2]).result()", ["later: throw(Mine(1, 2))", "throw: raise error", "mlops.map("]),
        (
            "def f():\n    mlops.run(later).result()\nf()",
            ["later: throw(Mine(1, 2))", "throw: raise error", "f()", "f: mlops"],
        ),
        ("mlops.map(deep, 5)", ["mlops.map(deep, 5)"]),
        ("def items():\n    yield 1 / 0\nmlops.map(deep, items()).result()", ["items: yield 1 / 0", "mlops.map("]),
        ("mlops.cluster('nowhere')", ["mlops.cluster('nowhere')"]),
    ],
)
def test_each_frame_is_the_users_and_shows_its_line_and_function(kernel: Kernel, cell: str, places: list[str]) -> None:
    text = plain(kernel.run(cell))
    frames = re.findall(r"(?:line|:)\D?\d+(?:, in (\S+?)\(.*\))?\n(?:.*\n)*?-+> \d+ +(.*)", text)
    said = [f"{name}: {line}" if name else line for name, line in frames]
    assert len(said) == len(places) and all(map(str.startswith, said, places)), text
    assert not re.search(r"jupyter.mlops/|<jupyter|asyncio/|concurrent/", text), text


@pytest.mark.parametrize(
    ("raised", "looked"),
    [
        ("deep(0)", "type(error) is Mine and (error.a, error.b) == (1, 2) and error.args == ('1 and 2',)"),
        ("throw(Doubled(3))", "type(error) is Doubled and error.what == 3 and str(error) == 'failed with 3'"),
        ("throw(OSError(2, 'gone', 'a'))", "type(error) is FileNotFoundError and error.filename == 'a'"),
        ("open('/nowhere')", "type(error) is FileNotFoundError and error.errno == 2"),
        ("b'\\xff'.decode()", "type(error) is UnicodeDecodeError and error.start == 0"),
        ("throw(Holding(threading.Lock()))", "type(error) is Holding and 'lock' in error.args[0]"),
        ("json.loads('{')", "type(error) is json.JSONDecodeError and error.pos == 1"),
        ("throw(SystemExit(3))", "type(error) is SystemExit and error.code == 3"),
        ("throw(GeneratorExit())", "type(error) is GeneratorExit"),
        ("throw(asyncio.CancelledError())", "type(error) is asyncio.CancelledError"),
    ],
)
def test_an_exception_is_the_one_that_was_raised(kernel: Kernel, raised: str, looked: str) -> None:
    kernel.run(f"error = caught(lambda: {raised})")
    assert kernel.run(looked).result == "True", kernel.run("error, vars(error), error.args").result


def test_what_led_to_it_is_shown(kernel: Kernel) -> None:
    cell = "%%mlrun\ntry:\n    1 / 0\nexcept ZeroDivisionError as error:\n    {}\n"
    direct = plain(kernel.run(cell.format("raise Mine(3, 4) from error")))
    assert direct.index("ZeroDivisionError") < direct.index("direct cause") < direct.index("Mine: 3 and 4")
    assert "----> 3     1 / 0" in direct and "----> 5     raise Mine(3, 4) from error" in direct
    other = plain(kernel.run(cell.format("{}['k']")))
    assert other.index("ZeroDivisionError") < other.index("another exception") < other.index("KeyError: 'k'")
    assert "ZeroDivisionError:" not in plain(kernel.run(cell.format("raise Mine(3, 4) from None")))


def test_a_failed_item_has_its_cause(kernel: Kernel) -> None:
    kernel.run("%%mlrun --out results --map range(2)\nif item:\n    raise Mine(item, 5)\nitem")
    assert kernel.run("type(results[1].__cause__) is Mine, results[1].__cause__.b").result == "(True, 5)"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python has no exception groups")
def test_a_group_has_its_members(kernel: Kernel) -> None:
    text = plain(kernel.run("%%mlrun\nraise ExceptionGroup('many', [ValueError(1), Mine(2, 3)])"))
    assert "many (2 sub-exceptions)" in text and "ValueError: 1" in text and "Mine: 2 and 3" in text
    assert re.search(r"Cell In\[\d+\], line 2", text) and "ipykernel" not in text
    kernel.run("def group():\n    raise ExceptionGroup('many', [ValueError(1), Mine(2, 3)])\nerror = caught(group)")
    assert (
        kernel.run("type(error.exceptions[1]) is Mine, error.exceptions[1].b, len(error.args)").result == "(True, 3, 2)"
    )


def test_a_recursion_has_some_frames(kernel: Kernel) -> None:
    text = plain(kernel.run("%%mlrun\ndef f():\n    f()\nf()"))
    assert 1 <= len(re.findall(r"-> 3\s+f\(\)", text)) <= 50
