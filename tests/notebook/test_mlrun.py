"""`%%mlrun` and `%mlcluster` in a real IPython, on a real cluster."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import jupyter_mlops as mlops
from jupyter_mlops.core import errors

RunCell = Callable[[str], Any]


def test_a_cell_takes_what_it_reads_and_gives_back_what_it_assigns(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("x = 3\ndef helper(a): return a + x\nclass Point:\n    def __init__(self, a): self.a = a")
    assert run_cell("%%mlrun\nimport os\ny = helper(4)\np = Point(y)\npid = os.getpid()\ny + 1") == 8
    space = shell.user_ns
    assert space["y"] == 7 and space["p"].a == 7 and isinstance(space["p"], space["Point"])
    assert space["pid"] != os.getpid() and space["os"] is os


def test_out_limits_what_comes_back(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("%%mlrun --out a,b\na = 1\nb = 2\nc = 3")
    assert shell.user_ns["a"] == 1 and shell.user_ns["b"] == 2 and "c" not in shell.user_ns


def test_a_function_that_a_cell_defines_sees_the_notebook(run_cell: RunCell) -> None:
    run_cell("k = 2")
    run_cell("%%mlrun\ndef double(a):\n    return a * k")
    assert run_cell("k = 10\ndouble(3)") == 30


def test_a_semicolon_hides_the_value(run_cell: RunCell) -> None:
    assert run_cell("%%mlrun\n41 + 1;") is None
    assert run_cell("%%mlrun\n';'") == ";"


def test_a_map_gives_a_list(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("k = 10")
    run_cell("%%mlrun --map range(100) --as n --out tens\nm = n * k\nm + 1")
    assert shell.user_ns["tens"] == [n * 10 + 1 for n in range(100)] and "m" not in shell.user_ns
    assert run_cell("%%mlrun --map [i for i in range(3)]\nitem") == [0, 1, 2]
    assert run_cell("%%mlrun --map range(3)\nif item == 1:\n    return 'one'\nitem") == [0, "one", 2]


def test_each_item_starts_with_the_notebooks_value(run_cell: RunCell) -> None:
    run_cell("total = 100")
    assert run_cell("%%mlrun --map range(3)\ntotal = total + item\ntotal") == [100, 101, 102]


def test_files_beside_the_notebook(run_cell: RunCell, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(name * 3)
    assert run_cell('%%mlrun --map "*.txt" --as path\nopen(path).read()') == ["aaa", "bbb"]


def test_modules_beside_the_notebook_and_edited_ones(run_cell: RunCell, tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(
        "from shared import FACTOR\ndef scale(x): return x * FACTOR\nclass Box: size = 1\n"
    )
    (tmp_path / "shared.py").write_text("FACTOR = 2\n")
    run_cell("import tools")
    assert run_cell("%%mlrun\ntools.scale(3)") == 6
    assert run_cell("%%mlrun\nbox = tools.Box()\nbox") is not None
    assert run_cell("isinstance(box, tools.Box)")
    (tmp_path / "shared.py").write_text("FACTOR = 1000\n")
    assert run_cell("%%mlrun\ntools.scale(3)") == 3000
    assert run_cell("%%mlrun\nfrom tools import scale as fresh\nfresh(1)") == 1000


def test_a_project_elsewhere_travels_like_a_module_beside_the_notebook(
    run_cell: RunCell, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that is installed as editable: the workers have no copy of it."""
    project = tmp_path_factory.mktemp("project")
    (project / "elsewhere").mkdir()
    (project / "elsewhere" / "__init__.py").write_text("from .deep import answer\n")
    (project / "elsewhere" / "deep.py").write_text("def answer(): return 42\n")
    monkeypatch.syspath_prepend(str(project))
    run_cell("import elsewhere\ndef inner():\n    from elsewhere.deep import answer\n    return answer()")
    assert run_cell("%%mlrun\nelsewhere.answer()") == 42
    assert run_cell("%%mlrun --map range(2)\ninner()") == [42, 42]


def test_rich_output_of_what_can_not_travel(run_cell: RunCell, capsys: pytest.CaptureFixture[str]) -> None:
    value = run_cell("%%mlrun\nimport threading\nlock = threading.Lock()\nlock")
    assert "lock" in repr(value)
    assert "'lock' stayed on the worker: a _thread.lock can't travel" in capsys.readouterr().err


def test_dask_in_a_cell_uses_the_same_cluster(run_cell: RunCell) -> None:
    code = "%%mlrun\nfrom dask.distributed import get_client\nclient = get_client()\n"
    assert run_cell(code + "total = sum(client.gather(client.map(abs, range(-3, 3))))\ndel client\ntotal") == 9
    assert run_cell("%%mlrun\nimport dask.bag as db\ndb.from_sequence(range(5)).sum().compute()") == 10


def test_await_works(run_cell: RunCell) -> None:
    assert run_cell("%%mlrun\nimport asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 3\nawait f()") == 3


def test_an_error_shows_the_users_own_lines(
    shell: InteractiveShell, run_cell: RunCell, capsys: pytest.CaptureFixture[str]
) -> None:
    result = shell.run_cell("%%mlrun\ndef bad(n):\n    return 1 / n\n\nbad(0)", store_history=True)
    assert isinstance(result.error_in_exec, errors.RunFailed)
    shown = capsys.readouterr().out
    assert "----> 5 bad(0)" in shown and "----> 3     return 1 / n" in shown and "ZeroDivisionError" in shown
    assert "jupyter_mlops/" not in shown and "<jupyter-mlops" not in shown
    result = shell.run_cell("%%mlrun --map range(3) --on-error raise\n1 / (item - 1)", store_history=True)
    assert isinstance(result.error_in_exec, errors.RunFailed)
    shown = capsys.readouterr().out
    assert "----> 2 1 / (item - 1)" in shown and "Item 1 (1)" in shown and "jupyter_mlops/" not in shown


def test_errors_of_items_are_told_and_stay_in_their_places(
    run_cell: RunCell, capsys: pytest.CaptureFixture[str]
) -> None:
    results = run_cell("%%mlrun --map range(3)\n1 // (item - 1)")
    assert isinstance(results[1], mlops.FailedItem) and results[0] == -1
    shown = capsys.readouterr().err
    assert "1 of 3 items raised" in shown and "line 2, in <module>" in shown
    run_cell("def inverse(n):\n    return 1 / n")
    number = len(run_cell("In"))
    run_cell("%%mlrun --map range(2) --out r\ninverse(item)")
    shown = capsys.readouterr().err
    assert f"Cell In[{number}], line 2, in <module>\n    inverse(item)" in shown, shown
    assert f"Cell In[{number - 2}], line 2, in inverse\n    return 1 / n" in shown and "ipython" not in shown


BAD: list[tuple[str, type[Exception], str]] = [
    ("%%mlrun\nif x\n    y", errors.InvalidCell, "Line 2"),
    ("%%mlrun\nreturn 1", errors.InvalidCell, "return"),
    ("%%mlrun\n!ls", errors.InvalidCell, "Line 2"),
    ("%%mlrun --map range(3)\nyield 1", errors.InvalidCell, "yield"),
    ("%%mlrun --map range(3)\nfrom os import *", errors.InvalidCell, "import"),
    ("%%mlrun --out nothing\nx = 1", errors.InvalidCell, "nothing"),
    ("%%mlrun\ngate.locked()", errors.NotPicklable, "'gate', a _thread.lock"),
    ("%%mlrun\nuses_gate()", errors.NotPicklable, "which 'uses_gate' uses"),
    ("%%mlrun --map itesm\nitem", errors.InvalidItems, "Did you mean 'items_'"),
    ("%%mlrun --map 5\nitem", errors.InvalidItems, "no items"),
    ("%%mlrun --map no/such/*.csv\nitem", errors.InvalidItems, "No file"),
    ("%%mlrun --map 1/0\nitem", errors.InvalidItems, "ZeroDivisionError"),
    ("%%mlrun --cluster note\n1", errors.UnknownCluster, "Did you mean 'notes'"),
    ("%%mlrun --group gpu\n1", errors.UnknownGroup, "gpu"),
    ("%%mlrun --workers 1000\n1", errors.OutOfRange, "1000"),
    ("%%mlrun --workers many\n1", errors.InvalidSpec, "2:8"),
    ("%%mlrun --timeout soon\n1", errors.InvalidSpec, "90s"),
    ("%%mlrun --as it\n1", errors.InvalidSpec, "--map"),
    ("%%mlrun --map items_ --as class\n1", errors.InvalidSpec, "a word of Python's own"),
    ("%%mlrun --bogus\n1", errors.InvalidSpec, "no option --bogus"),
    ("%mlcluster select 'notes", errors.InvalidSpec, "Close the quote"),
    ("%mlcluster start nosuch", errors.UnknownProfile, "nosuch"),
    ("%mlcluster scale", errors.InvalidSpec, "number"),
    ("%mlcluster select none-such", errors.UnknownCluster, "none-such"),
]


@pytest.mark.parametrize(("cell", "error", "text"), BAD)
def test_bad_input_is_refused_in_a_sentence(
    cell: str, error: type[Exception], text: str, run_cell: RunCell, shell: InteractiveShell, capsys: Any
) -> None:
    run_cell("import threading\ngate = threading.Lock()\ndef uses_gate(): return gate.locked()\nitems_ = [1]")
    known = len(mlops.runs())
    raised = shell.run_cell(cell, store_history=True).error_in_exec
    assert type(raised) is error and text in str(raised)
    shown = capsys.readouterr().out
    assert "jupyter_mlops/" not in shown and len(shown.splitlines()) < 12
    assert len(mlops.runs()) == known


def test_a_value_that_an_option_does_not_take_is_a_usage_error(shell: InteractiveShell) -> None:
    assert isinstance(shell.run_cell("%%mlrun --on-error ignore\n1").error_in_exec, UsageError)


def test_detach_gives_a_run_that_others_find(run_cell: RunCell) -> None:
    run = run_cell("%%mlrun --detach --name 'a long one'\nprint('there')\nvalue = 6 * 7\nvalue")
    assert run.name == "a long one" and run.record.detached
    assert mlops.get_run(run.id).result(150) == 42
    assert mlops.get_run(run.id).prints() == "there\n"


def test_keep_leaves_futures(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("%%mlrun --keep\nmine = [1, 2]")
    assert run_cell("import jupyter_mlops as mlops\nmlops.run(len, [1, 2]).result()") == 2
    assert type(shell.user_ns["mine"]).__name__ == "Future"


def test_quiet_shows_nothing(run_cell: RunCell, capsys: pytest.CaptureFixture[str]) -> None:
    run_cell("%%mlrun --quiet --map range(3) --out r\nprint('loud')\nitem // (item - 1)")
    shown = capsys.readouterr()
    assert "loud" not in shown.out and not shown.err


def test_completion_of_options_and_names(shell: InteractiveShell, run_cell: RunCell) -> None:
    run_cell("files = ['a']")
    for line, expected in [
        ("%%mlrun --clu", "--cluster"),
        ("%%mlrun --cluster no", "notes"),
        ("%%mlrun --map fil", "files"),
        ("%%mlrun --on-error ", "collect"),
        ("%mlcluster sel", "select"),
        ("%mlcluster stop n", "notes"),
        ("%mlcluster start ge", "gentle"),
    ]:
        with provisionalcompleter():
            found = [completion.text for completion in shell.Completer.completions(line, len(line))]
        assert expected in found, (line, found)


def test_help_explains_itself(shell: InteractiveShell) -> None:
    text = shell.find_cell_magic("mlrun").__doc__
    for word in ("--map", "--detach", "stop button", "mlops.get_run", "%%mlrun --map files"):
        assert word in text


def test_mlcluster_lists_shows_and_scales(run_cell: RunCell, capsys: pytest.CaptureFixture[str]) -> None:
    run_cell("%mlcluster")
    assert "→ notes" in capsys.readouterr().out
    run_cell("%mlcluster show notes")
    assert "dashboard: /jupyter-mlops/clusters/notes" in capsys.readouterr().out
    run_cell("%mlcluster scale notes 1:2")
    assert mlops.cluster("notes").state().groups[0].adaptive
    run_cell("%mlcluster scale 2")
    assert mlops.cluster("notes").state().groups[0].wanted == 2
    run_cell("%mlcluster limit notes --lifetime +1h")
    mlops.cluster("notes").limit(more_time="1 h")
    assert mlops.cluster("notes").state().limits.lifetime == 26 * 3600
    assert "notes" in mlops.cluster("notes")._repr_html_()


def test_the_record_says_where_a_run_came_from(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("import numpy\nx = 3")
    run_cell("%%mlrun --retries 2\n# the first line\nnumpy.sqrt(x)")
    record = shell.user_ns["_mlrun"].record
    assert record.name == "the first line" and record.variables == ["numpy", "x"] and "sqrt" in record.code
    assert record.options["retries"] == 2 and record.versions["numpy"] and record.shape == {"default": 2}
