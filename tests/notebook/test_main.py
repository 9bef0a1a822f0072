"""A cell's code finds itself on the cluster as in the notebook: `__main__`, its classes, its processes, its loop."""

from __future__ import annotations

import shutil
from pathlib import Path

import markupsafe
import pytest

from .kernels import Kernel

pytestmark = pytest.mark.slow

SETUP = """
import dataclasses, functools, typing, xml.dom.minidom

@dataclasses.dataclass
class Point:
    x: "int"
    y: int = 0

def double(value: "Point") -> "Point":
    return Point(2 * value.x, 2 * value.y)

@functools.lru_cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

@functools.singledispatch
def kind(value):
    return "any"

@kind.register
def _(value: int):
    return "int"

@kind.register
def _(value: Point):
    return kind(value.x) + " point"

@functools.wraps(kind)
def told(*values):
    return [kind(value) for value in values]

@functools.wraps(told)
def louder(*values):
    return [text.upper() for text in told(*values)]

class Lazy:
    @functools.cached_property
    def value(self):
        return [fibonacci(10)]

    @functools.lru_cache
    def method(self):
        return 4

    @functools.singledispatchmethod
    def kind(self, value):
        return "any"

    @kind.register
    def _(self, value: int):
        return "int"
"""


@pytest.mark.parametrize(
    ("cell", "result"),
    [
        ("import pickle\npickle.loads(pickle.dumps(Point(1))).x", "1"),
        ("class Mine:\n    pass\nimport pickle\ntype(pickle.loads(pickle.dumps(Mine()))) is Mine", "True"),
        ("fibonacci(80), fibonacci.cache_info().misses", "(23416728348467685, 81)"),
        ("kind(1), kind(''), kind(Point(1))", "('int', 'any', 'int point')"),
        ("told(1, ''), told.dispatch(int)(1), told.__name__", "(['int', 'any'], 'int', 'kind')"),
        ("louder(1), louder.registry is told.registry is louder.__wrapped__.__wrapped__.registry", "(['INT'], True)"),
        (
            "lazy = Lazy()\nlazy.value is lazy.value, lazy.method(), lazy.kind(1), lazy.kind('')",
            "(True, 4, 'int', 'any')",
        ),
        ("import joblib\njoblib.dump([Point(3)], 'points.joblib')\njoblib.load('points.joblib')[0].x", "3"),
        ("typing.get_type_hints(double)['value'] is Point", "True"),
        (
            "import inspect\ninspect.getsource(double).strip().splitlines()[0]",
            '\'def double(value: "Point") -> "Point":\'',
        ),
        ("import sys\nsys.modules['__main__'].Point is Point, __name__", "(True, '__main__')"),
        ("xml.dom.minidom.parseString('<a/>').documentElement.tagName, xml.__name__", "('a', 'xml')"),
        (
            "from concurrent.futures import ProcessPoolExecutor\n"
            "with ProcessPoolExecutor(2) as pool:\n    done = list(pool.map(double, [Point(1), Point(2)]))\n"
            "[point.x for point in done]",
            "[2, 4]",
        ),
        (
            "from multiprocessing import Pool\nwith Pool(2) as pool:\n"
            "    done = pool.map(double, [Point(5)])\ndone[0].x",
            "10",
        ),
        (
            "import multiprocessing, time\nchild = multiprocessing.Process(target=time.sleep, args=(60,))\n"
            "child.start()\nchild.terminate()\nchild.join()\nchild.exitcode",
            "-15",
        ),
        (
            "import asyncio\nlock = asyncio.Lock()\nasync with lock:\n"
            "    task = asyncio.create_task(asyncio.sleep(0, 7))\nawait task",
            "7",
        ),
        ("import asyncio\ntask = asyncio.create_task(asyncio.sleep(9))\ntask.done()", "False"),
        ("import asyncio\nasyncio.run(asyncio.sleep(0, 8))", "8"),
    ],
)
def test_code_is_at_home(kernel: Kernel, cell: str, result: str) -> None:
    shown = kernel.run(f"%%mlrun\n{cell}")
    assert not shown.error, shown.error
    assert shown.result == result


def test_what_comes_back_sees_the_notebook(kernel: Kernel) -> None:
    """Also after an object of a class of the notebook came back from a worker, which had that class, too."""
    kernel.run(
        "k = 1\nclass Mine:\n    def k(self): return k\n    def later(self): return later\n"
        "class Failed(Exception):\n    def k(self): return k\nmethod, old = Mine.k, Mine()"
    )
    kernel.run("%%mlrun\nold.x = 1\nmine = Mine()")
    kernel.run("%%mlrun\nclass New:\n    def k(self): return k\nnew, calls = New(), [lambda: k]")
    kernel.run("of_items = mlops.map(lambda n: Mine(), range(2)).result()\nk, later = 2, 3")
    assert "Failed" in kernel.run("%%mlrun\nraise Failed(k)").error
    look = "[each.k() for each in (old, mine, new, of_items[1], Failed())], calls[0](), mine.later(), Mine.k is method"
    assert kernel.run(look).result == "([2, 2, 2, 2, 2], 2, 3, True)"


def test_packages_are_the_notebooks(kernel: Kernel) -> None:
    """Without an `__init__.py` beside the notebook, and on its `sys.path`; one that was edited is sent again."""
    kernel.run(
        "import pathlib, sys\nsys.path.insert(0, 'lib')\nfor place in ('parts', 'lib/others'):\n"
        "    pathlib.Path(place).mkdir(parents=True)\n    (pathlib.Path(place) / 'one.py').write_text('value = 1')\n"
        "import parts.one, others.one"
    )
    assert (
        kernel.run("%%mlrun\nfrom parts import one\none.value, parts.one.value, others.one.value").result == "(1, 1, 1)"
    )
    kernel.run("pathlib.Path('parts/one.py').write_text('value = 20')")
    assert kernel.run("%%mlrun\nparts.one.value, others.one.value").result == "(20, 1)"


def test_what_pip_has_put_into_a_folder_is_imported_from_there(kernel: Kernel, tmp_path: Path) -> None:
    """As `pip install --target` does; a compiled package is no text that could be sent."""
    source = Path(markupsafe.__file__).parent
    shutil.copytree(source, tmp_path / "markedup", ignore=shutil.ignore_patterns("__pycache__"))
    about = tmp_path / "markedup-7.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: markedup\nVersion: 7.0\n")
    (about / "WHEEL").write_text("Wheel-Version: 1.0\n")
    (about / "RECORD").write_text("markedup/__init__.py,,\n")
    kernel.run(f"import sys\nsys.path.append({str(tmp_path)!r})\nimport markedup")
    cell = "%%mlrun\nimport markedup._speedups\nstr(markedup.escape('<')), markedup._speedups.__file__"
    shown = kernel.run(cell)
    assert not shown.error and str(tmp_path) in shown.result and "&lt;" in shown.result, shown


def test_files_are_the_notebooks(kernel: Kernel) -> None:
    kernel.run("from pathlib import Path\nPath('table.csv').write_text('a\\n1\\n')")
    assert kernel.run("%%mlrun\nopen('table.csv').read()").result == "'a\\n1\\n'"
    kernel.run("%%mlrun\nopen('written.txt', 'w').write('by the cell')")
    assert kernel.run("Path('written.txt').read_text()").result == "'by the cell'"


def test_a_file_that_is_missing_is_no_fault_of_the_folder(kernel: Kernel) -> None:
    assert "The code ran in" not in kernel.run("%%mlrun\\nopen('nowhere.csv')").error


def test_the_environment_is_the_notebooks(kernel: Kernel) -> None:
    kernel.run("import os\nos.environ['MY_SETTING'] = '7'")
    assert kernel.run("%%mlrun\nimport os\nos.environ['MY_SETTING']").result == "'7'"
    kernel.run("removed = {name: os.environ.pop(name) for name in ('HOME', 'MY_SETTING')}")
    assert kernel.run("%%mlrun\nimport os\n'HOME' in os.environ, 'MY_SETTING' in os.environ").result == "(False, False)"
    kernel.run("os.environ['HOME'] = removed['HOME']")
    assert kernel.run("%%mlrun\nimport os\nos.environ['HOME'] == removed['HOME']").result == "True"


def test_settings_of_libraries_are_the_notebooks(kernel: Kernel) -> None:
    kernel.run(
        "import decimal, logging, sys\nimport numpy as np, pandas as pd, matplotlib as mpl, sklearn\n"
        "decimal.getcontext().prec = 4\nnp.set_printoptions(precision=2)\nnp.seterr(divide='raise')\n"
        "pd.options.display.max_rows = 3\nmpl.rcParams['lines.linewidth'] = 7\n"
        "sklearn.set_config(transform_output='pandas')\nsys.setrecursionlimit(1234)\n"
        "logging.basicConfig(level=logging.INFO, format='%(levelname)s of mine: %(message)s', stream=sys.stdout)\n"
        "log = logging.getLogger('mine')"
    )
    cell = (
        "import matplotlib\nlog.info('told')\nprint(np.array([1.2345]))\n"
        "str(decimal.Decimal(1) / 3), str(pd.Series(range(9))).count('\\n'), matplotlib.rcParams['lines.linewidth'], "
        "sklearn.get_config()['transform_output'], sys.getrecursionlimit(), np.geterr()['divide']"
    )
    plain, shown = kernel.run(cell), kernel.run(f"%%mlrun\n{cell}")
    assert (shown.result, shown.text, shown.error) == (plain.result, plain.text, "")
    assert "INFO of mine: told" in shown.text and "'0.3333'" in shown.result
    assert kernel.run(f"%%mlrun --map range(1)\n{cell}").result == f"[{plain.result}]"


def test_what_is_imported_finds_the_notebooks_environment(kernel: Kernel) -> None:
    """Dask reads its variables once, when it is imported."""
    cell = "%%mlrun\nimport dask\ndask.config.get('my.choice', None)"
    assert not kernel.run(cell).result
    kernel.run("import os\nos.environ['DASK_MY__CHOICE'] = '8'")
    assert kernel.run(cell).result == "8"
    kernel.run("del os.environ['DASK_MY__CHOICE']")
    assert not kernel.run(cell).result


def test_a_cell_that_exits_says_so(kernel: Kernel) -> None:
    assert "SystemExit" in kernel.run("%%mlrun\nimport sys\nsys.exit(2)").error
    assert "exit code 2" in kernel.run("%%mlrun\nimport os\nos._exit(2)").error
    assert kernel.run("%%mlrun\n1 + 1").result == "2"


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("import asyncio\nawait asyncio.sleep(0)\nitem + 1", "[1, 2, 3]"),
        ("import asyncio\nawait asyncio.sleep(0, item)", "[0, 1, 2]"),
        ("async def numbers():\n    yield item\n    yield 1\n[n async for n in numbers()]", "[[0, 1], [1, 1], [2, 1]]"),
        (
            "import asyncio\nasync with asyncio.Lock():\n    total = item\nif total > 1:\n    return 7\ntotal",
            "[0, 1, 7]",
        ),
    ],
)
def test_the_body_of_a_map_may_wait(kernel: Kernel, body: str, result: str) -> None:
    assert kernel.run(f"%%mlrun --map range(3)\n{body}").result == result
