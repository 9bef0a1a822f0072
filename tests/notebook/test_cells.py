"""Ordinary cells in a real kernel: what they mean on a cluster, and what they leave in the notebook."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

import jupyter_mlops as mlops

from ..runs.cluster import until
from .kernels import Kernel

pytestmark = pytest.mark.slow


def test_the_line_of_the_magic_is_python(kernel: Kernel) -> None:
    kernel.run("i = 7")
    assert kernel.run('%%mlrun --map [f"part-{i}" for i in range(3)]  # not part-7\nitem').result == (
        "['part-0', 'part-1', 'part-2']"
    )
    assert kernel.run("%%mlrun --map range(3, -1, -1) --as n\nn").result == "[3, 2, 1, 0]"
    assert "'[' is never closed" in kernel.run("%%mlrun --map [i for i in\ni").error


def test_what_a_cell_names_comes_back_or_is_said(kernel: Kernel) -> None:
    shown = kernel.run("%%mlrun\n_hidden, __, _ = 3, 4, 5\nfrom string import *\nfile = open('/dev/null')")
    assert "What `from string import *` names stays on the worker" in shown.text
    assert "file" in shown.text and "TextIOWrapper" in shown.text
    assert kernel.run("_hidden, 'digits' in globals(), 'file' in globals()").result == "(3, False, False)"


def test_names_are_afterwards_as_a_plain_cell_leaves_them(kernel: Kernel) -> None:
    """Also those that the cell's text doesn't say."""
    kernel.run("old, number = [1], 0")
    shown = kernel.run("%%mlrun\nexec('made = 1')\nglobals()['also'] = 2\ndel old\nimport math as m")
    assert not shown.error and not shown.text, shown
    assert kernel.run("made, also, 'old' in globals(), m.pi > 3").result == "(1, 2, False, True)"
    kernel.run(
        "count, total, limit = 0, [], 1\ndef step():\n    global count, fresh\n    count += 1\n    fresh = count\n"
        "    total.append(count)\n    return count < limit"
    )
    assert kernel.run("%%mlrun\nlimit = 5\nstep(), step(), count").result == "(True, True, 2)"
    assert kernel.run("count, total, limit, fresh").result == "(2, [1, 2], 5, 2)"
    shown = kernel.run("%%mlrun --out number\nnumber = 1\nexec('not_asked_for = 1')")
    assert kernel.run("number, 'not_asked_for' in globals()").result == "(1, False)"

    kernel.run("_calls, old = 0, 1\ndef call():\n    global _calls\n    _calls += 1\n    return _calls")
    shown = kernel.run("%%mlrun\ncall()\nold = 2\ndel old\nfrom math import *")
    assert kernel.run("_calls, 'old' in globals(), 'hypot' in globals()").result == "(1, False, False)"
    shown = kernel.run("%%mlrun --out number\nnumber = call()")
    assert kernel.run("number, _calls").result == "(2, 1)" and "'_calls' changed on the worker" in shown.text, shown

    shown = kernel.run("%%mlrun\nso_far = 7\ntotal.append(9)\ndel limit\n1 / 0\nso_far = 8")
    assert "ZeroDivisionError" in shown.error
    assert kernel.run("so_far, total, 'limit' in globals()").result == "(7, [1, 2, 9], False)"
    assert "ZeroDivisionError" in kernel.run("%%mlrun --out number\nnumber = 3\nnot_asked_for = 4\n1 / 0").error
    assert kernel.run("number, 'not_asked_for' in globals()").result == "(3, False)"


def test_functions_of_other_namespaces_keep_theirs(kernel: Kernel) -> None:
    """They are called `__main__`, too."""
    kernel.run("space = {'__name__': '__main__', 'limit': 0.5}\nexec('def of():\\n    return limit', space)")
    kernel.run("import cloudpickle\nlimit, other = 0.9, cloudpickle.loads(cloudpickle.dumps(space['of']))")
    assert kernel.run("%%mlrun\nlimit, other()").result == "(0.9, 0.5)"


def test_what_functions_hold_is_said(kernel: Kernel) -> None:
    kernel.run(
        "def counter():\n    n = 0\n    def tick():\n        nonlocal n\n        n += 1\n        return n\n"
        "    return tick\ntick = counter()\ndef collect(value, into=[]):\n    into.append(value)\n    return into"
    )
    for name, call in (("tick", "tick()"), ("collect", "collect(1)")):
        shown = kernel.run(f"%%mlrun\n{call}")
        assert f"'{name}' changed on the worker; here it is as it was" in shown.text, shown


def test_every_run_leaves_a_line(kernel: Kernel) -> None:
    shown = kernel.run("%%mlrun\n6 * 7")
    assert shown.result == "42" and re.fullmatch(r"done · .* s · .*on notes", shown.lines[0]), shown.lines
    shown = kernel.run("%%mlrun --map range(4)\n1 // (item - 1)")
    assert re.fullmatch(r"done · 4 items, 1 failed · .* s · .*on notes", shown.lines[0]), shown.lines
    shown = kernel.run("%%mlrun\n1 / 0")
    assert re.fullmatch(r"failed: ZeroDivisionError: .* · .* s · .*on notes", shown.lines[0]), shown.lines
    assert not kernel.run("%%mlrun --quiet\n1").lines


INTERRUPTED = [
    "%%mlrun\nimport time\nprint('begun')\ntime.sleep(60)",
    "%%mlrun --map range(10000)\nimport time\ntime.sleep(0.05)\nprint('begun')",
    "import time\nprint('begun')\nmlops.map(lambda n: time.sleep(0.1), range(10000)).result()",
    "client = mlops.cluster('notes').client()\nprint('begun')\n"
    "client.gather(client.map(lambda n: __import__('time').sleep(0.1), range(1000)))",
]


def test_an_interrupt_leaves_no_traceback_of_dask_in_any_cell(kernel: Kernel) -> None:
    for cell in INTERRUPTED:
        request = kernel.send(cell)
        kernel.follow(request, until_text="begun")
        time.sleep(0.3)
        kernel.manager.interrupt_kernel()
        shown = kernel.follow(request)
        assert re.match(r"RunCancelled|KeyboardInterrupt", shown.error), shown
        assert "Traceback" not in shown.text and "distributed" not in shown.text, shown.text
    later = kernel.run("import gc\nclient.close()\ndel client\ngc.collect()\nprint('quiet')")
    later.texts += kernel.unasked(3.0)
    assert later.text == "quiet\n", later.text


def test_an_interrupt_before_the_run_has_no_frames_of_ours(kernel: Kernel) -> None:
    kernel.run("import signal, os\nclass Slow:\n    def __reduce__(self):\n        raise KeyboardInterrupt\ns = Slow()")
    shown = kernel.run("%%mlrun\ns")
    assert shown.error.startswith("KeyboardInterrupt") and len(shown.traceback) == 1


def test_the_end_of_a_cluster_says_nothing_in_red(kernel: Kernel) -> None:
    code = "with_client = mlops.start('gentle', name='short', workers=1)\nclient = with_client.client()\n1"
    assert kernel.run(code).result == "1"
    assert kernel.run("%%mlrun --cluster short\n2").result == "2"
    for kind in ("", "--map range(1000) "):
        detached = kernel.run(f"%%mlrun --detach {kind}--cluster short\nimport time\ntime.sleep(60)")
        assert "without this notebook" in detached.text and not detached.error
    kernel.run("client._timeout = 3\nwith_client.stop()")  # Dask gives up after 30 s, and says so then
    texts = list[tuple[float, str]]()

    def is_closed() -> bool:
        texts.extend(kernel.unasked(1.0))
        return kernel.run("client.status").result == "'closed'"

    until(is_closed)
    assert texts + kernel.unasked(3.0) == []
    later = kernel.run("import gc\ngc.collect()\nclient.status")
    assert (later.result, later.text) == ("'closed'", "")


#: In a process of its own: what nbclient leaves of a kernel whose cell has failed is nobody else's.
HEADLESS = """
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read("saved.ipynb", as_version=4)
try:
    NotebookClient(notebook, timeout=150, startup_timeout=150, iopub_timeout=150).execute()
finally:
    nbformat.write(notebook, "saved.ipynb")
"""


def test_a_saved_notebook_keeps_the_line_and_a_failed_cell_ends_it(
    notebook_cluster: mlops.Cluster, tmp_path: Path
) -> None:
    """As `jupyter nbconvert --execute` and papermill run it."""
    sources = [
        "%load_ext jupyter_mlops",
        "%%mlrun --cluster notes --map range(40) --out r\nimport time\ntime.sleep(0.05)\nitem",
        "%%mlrun\n1 / 0",
        "print('not reached')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbformat.write(notebook, tmp_path / "saved.ipynb")
    done = subprocess.run([sys.executable, "-c", HEADLESS], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode and "ZeroDivisionError" in done.stderr
    notebook = nbformat.read(tmp_path / "saved.ipynb", as_version=4)
    lines = [output["data"] for output in notebook.cells[1].outputs if output.output_type == "display_data"]
    assert [list(line) for line in lines] == [["text/plain"]] and "40 items" in lines[0]["text/plain"]
    assert "HBox" not in nbformat.writes(notebook) and not notebook.cells[3].outputs


def test_objects_of_compiled_libraries_travel(kernel: Kernel) -> None:
    """Their types are of modules that are no package, such as _cython_3_1_2."""
    kernel.run(
        "import numpy as np, pandas as pd\nfrom sklearn.linear_model import LinearRegression\n"
        "df = pd.DataFrame({'a': [1, 2, 3], 'day': pd.Timestamp(0)})\nrng = np.random.default_rng(1)\n"
        "model = LinearRegression().fit(df[['a']], df.a)"
    )
    used = "len(df), df.day[0].year, int(rng.integers(1)), model.predict(df[['a']]).shape"
    assert kernel.run(f"%%mlrun\n{used}").result == "(3, 1970, 0, (3,))"


def test_texts_may_name_variables(kernel: Kernel) -> None:
    kernel.run("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})\nlimit, low = 1, 2")
    assert kernel.run("%%mlrun\nlen(df.query('a > @limit'))").result == "2"
    assert kernel.run("%%mlrun\neval('limit + low'), globals()['low']").result == "(3, 2)"
    assert kernel.run("%%mlrun --map range(2)\nlen(df.query('a > @limit')) + item").result == "[2, 3]"
    kernel.run("def above(table):\n    return len(table.query('a > @limit'))")
    assert kernel.run("%%mlrun\nabove(df)").result == "2"
    assert kernel.run("%%mlrun --map range(2)\nabove(df) + item").result == "[2, 3]"


def test_a_name_that_stayed_here_is_told_with_what_to_do(kernel: Kernel) -> None:
    kernel.run("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})\nlimit = 1")
    for options in ("", "--map range(1)", "--map range(2) --on-error raise"):
        error = kernel.run(f"%%mlrun {options}\nat = chr(64)\nlen(df.query('a > ' + at + 'limit'))").error
        assert "This notebook has 'limit'" in error and "a line of the code that says just limit sends it" in error, (
            error
        )
    assert kernel.run("%%mlrun\nat = chr(64)\nlimit\nlen(df.query('a > ' + at + 'limit'))").result == "2"
    assert "This notebook" not in kernel.run("%%mlrun\nnowhere").error


def test_each_item_starts_anew_and_names_mean_what_they_say(kernel: Kernel) -> None:
    kernel.run("acc, n, k = [0], 5, 7")
    assert kernel.run("%%mlrun --map range(3)\nacc += [item]\nacc").result == "[[0, 0], [0, 1], [0, 2]]"
    assert kernel.run("%%mlrun --map range(2)\ndef add():\n    global n\n    n += item\nadd()\nn").result == "[5, 6]"
    assert kernel.run("%%mlrun --map range(2)\nclass C:\n    k = k\nC.k + item").result == "[7, 8]"
    assert kernel.run("%%mlrun\nclass C:\n    k = k\nC.k").result == "7"
    code = "import contextlib\nwith contextlib.suppress(KeyError):\n    k = {}['k']\nk"
    assert kernel.run(f"%%mlrun --map range(2)\n{code}").result == "[7, 7]"
    assert kernel.run(f"%%mlrun\n{code}").result == "7"
    assert kernel.run("%%mlrun --map range(2)\nexec('y = item + k')\ny").result == "[7, 8]"
    assert kernel.run("acc, n, k").result == "([0], 5, 7)"


def test_deep_code_and_deep_objects(kernel: Kernel) -> None:
    kernel.run("xs = {f'a{n}': n for n in range(300)}\nglobals().update(xs)")
    terms = " + ".join(f"a{n}" for n in range(300))
    assert kernel.run(f"%%mlrun\n{terms}").result == str(sum(range(300)))
    assert kernel.run(f"%%mlrun --map range(2)\n{terms} + item").result == f"[{sum(range(300))}, {sum(range(300)) + 1}]"
    branches = "if a1 == 0:\n    b = 0\n" + "".join(f"elif a1 == {n}:\n    b = a{n}\n" for n in range(2, 400))
    kernel.run("a1 = 299")
    assert kernel.run(f"%%mlrun\n{branches}b").result == "299"
    kernel.run("deep = []\nfor _ in range(500):\n    deep = {'inner': [deep]}")
    assert kernel.run("%%mlrun\nlen(deep)").result == "1"


def test_a_long_list_is_packed_once_with_words(kernel: Kernel) -> None:
    kernel.run(
        "class Row:\n    packed = 0\n    def __reduce__(self):\n        Row.packed += 1\n        return dict, ()\n"
        "import jupyter_mlops.client.send.pickling as p\np.PATIENT = 0.01\n"
        "rows = [{'a': n, 'b': str(n)} for n in range(200_000)] + [Row()]"
    )
    shown = kernel.run("%%mlrun\nlen(rows)")
    assert shown.result == "200001" and "Packing 'rows' for the workers" in shown.text
    assert kernel.run("Row.packed").result == "1"


def test_an_item_that_can_not_travel_is_named(kernel: Kernel) -> None:
    kernel.run("import os, pathlib\npathlib.Path('a').touch()")
    for items in ("list(os.scandir('.'))", "os.scandir('.')", "(entry for entry in os.scandir('.'))"):
        shown = kernel.run(f"%%mlrun --map {items}\nitem.name")
        assert "Item 0, a posix.DirEntry, can't travel" in shown.error, shown
        assert "jupyter_mlops/" not in "".join(shown.traceback)


def test_a_client_of_dasks_has_its_cluster(kernel: Kernel) -> None:
    kernel.run("held = mlops.start('this-machine', name='held', workers=1)\nclient = held.client()")
    shown = kernel.run("client")
    assert not shown.error and not shown.text and shown.result.startswith("<Client"), shown
    assert kernel.run("client.dashboard_link == client.cluster.dashboard_link == held.dashboard_link").result == "True"
    kernel.run("client.cluster.scale(2)\nclient.wait_for_workers(2)")
    assert kernel.run("len(client.scheduler_info()['workers'])").result == "2"
    kernel.run("client.cluster.adapt(minimum=0)")
    look = "group = held.state().groups[0]\ngroup.adaptive, group.minimum, group.maximum >= 2"
    assert kernel.run(look).result == "(True, 0, True)"
    assert not kernel.run("client.shutdown()").error
    assert kernel.run("held.state().phase in ('stopping', 'ended')").result == "True"
    kernel.run("mlops.cluster('notes')\n%mlcluster select notes")
