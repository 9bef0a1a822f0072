"""Which cells the steps of a notebook need."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import Conflict, InvalidCell, InvalidInput, MlopsError, NotFound, Unreadable
from jupyter_mlops.pipelines.cells import cell_of, read_cells
from jupyter_mlops.pipelines.graph import Graph, graph_of
from jupyter_mlops.pipelines.show import views_of
from jupyter_mlops.pipelines.written import writes_files, wrote

CELLS = [
    "%load_ext jupyter_mlops\nimport pandas as pd\nimport matplotlib.pyplot as plt",
    "%matplotlib inline\nalpha = 1\nlimit = 3",
    "def scale(t):\n    return t['x'] * alpha",
    "%%mlrun --step load\ntable = pd.read_csv('data.csv')",
    "plt.plot(table['x'])",
    "alpha = 2",
    "%%time\n%%mlrun --step clean\n# without the worst\ntable = table[table['x'] < limit]\nscaled = scale(table)",
    "halves = [0, 1]",
    "%%mlrun --step sums --map halves --as half --out sums\nn = len(scaled)\nreturn_ = sum(scaled[half::2])\nreturn_",
    "best = max(sums)",
    "%%mlrun --step report\nprint(best, len(table))",
]


def _graph(*sources: str) -> Graph:
    return graph_of([cell_of(number, source) for number, source in enumerate(sources, start=1)])


def test_steps_need_what_makes_the_names_that_they_read() -> None:
    graph = _graph(*CELLS)
    assert {each.name: each.reads for each in graph.steps} == {
        "load": {},
        "clean": {"table": "load"},
        "sums": {"scaled": "clean"},
        "report": {"table": "clean", "sums": "sums"},
    }
    assert {each.name: set(each.cells) for each in graph.steps} == {
        "load": {1},
        "clean": {2, 3, 6},
        "sums": {8},
        "report": {10},
    }
    assert graph.step("clean").makes == ("scaled", "table") and graph.step("sums").makes == ("sums",)
    assert [cell.number for cell in graph.to_run("clean")] == [1, 2, 3, 4, 6, 7]
    assert [cell.number for cell in graph.to_run()] == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert graph.upstream("sums") == {"load", "clean", "sums"}
    assert graph.downstream("clean") == {"clean", "sums", "report"}
    assert [graph.depth(each.name) for each in graph.steps] == [0, 1, 2, 3]


def test_what_is_changed_in_place_is_of_who_changed_it() -> None:
    graph = _graph(
        "%%mlrun --step load\nrows = [3, 1]", "%%mlrun --step sort\nrows.sort()", "%%mlrun --step take\nfirst = rows[0]"
    )
    assert [each.reads for each in graph.steps] == [{}, {"rows": "load"}, {"rows": "sort"}]
    graph = _graph(
        "def prepare(rows, by): rows.sort(key=by)",
        "%%mlrun --step load\nrows = [3, 1]",
        "print(rows)",
        "prepare(rows, by=abs)",
        "%%mlrun --step again\nprepare(rows, by=None)",
        "%%mlrun --step take\nfirst = rows[0]",
    )
    assert [cell.number for cell in graph.to_run("take")] == [1, 2, 4, 5, 6] and graph.step("again").makes == ()


def test_files_lead_from_one_cell_to_another() -> None:
    graph = _graph(
        "table.to_csv('out/all.csv')",
        "import json, plt\nfrom pathlib import Path\ntable, OUT, read, fit, save = [], Path('out'), 1, 2, 3",
        "table.to_csv(OUT / 'all.csv')\nplt.savefig('all.png')",
        "%%mlrun --step clean\nrows = read(OUT / 'all.csv')\nwith open(f'{OUT}/clean.json', 'w') as file:\n"
        "    json.dump(rows, file)",
        "%%mlrun --step train\nmodel = fit(json.load(open('out/clean.json')))\nsave(model, 'model.bin')",
        "%%mlrun --step other\nx = 'clean.jso', 'clean', open('model.bin', 'wb'), 'e.g.', 0.5",
    )
    assert [each.reads for each in graph.steps] == [{}, {"clean.json": "clean"}, {}]
    assert graph.step("clean").cells == {2, 3} and graph.step("clean").makes == ("rows",)


def test_what_code_writes_is_told_from_what_others_do(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.csv").touch()
    names = writes_files(ast.parse("table.to_csv(OUT / 'a.csv')\nread('b.csv')"))
    assert names == {"a.csv"}
    told = {path: wrote(names, str(tmp_path / path)) for path in ("out/a.csv", "out/*.csv", "out", "out/b.csv", "")}
    assert told == {"out/a.csv": True, "out/*.csv": True, "out": True, "out/b.csv": False, "": False}


def test_commands_of_the_notebook_cost_no_names() -> None:
    command = "import pandas as pd\n!pip install a \\\n   b\npd.read_csv?\n?pd\npip install c\n%time rows = load()"
    graph = _graph(
        "def load(): pass",
        command,
        "%matplotlib inline\nn = 1",
        'query = """\n%s\n! {}"""',
        "%%mlrun --step a\ny = pd.DataFrame(rows), query, n",
    )
    assert graph.step("a").cells == {1, 2, 3, 4} and graph.step("a").problem is None
    assert "\n%s\n! {}" in graph.cells[3].body, "what looks like one within a text is none"


def test_the_items_of_a_map_may_be_files() -> None:
    step = "%%mlrun --step read --as path --out texts --map {}\nopen(path).read()"
    graph = _graph("rows = [1, 2]", "data = 3", step.format("rows[1:]"), "%%mlrun --step a\nx = texts")
    assert graph.step("read").cells == {1} and graph.step("a").reads == {"texts": "read"}
    for items in ("data/*.csv", "'data/*.csv'", "lake/days"):
        assert not _graph(step.format(items)).step("read").cells


def test_what_others_depend_on_without_a_name_is_taken_along() -> None:
    step = "%%mlrun --step train\nmodel = fit(data)"
    graph = _graph("import sys\nsys.path.insert(0, 'src')", "print(3)", "from tools import *", step)
    assert graph.step("train").cells == {1, 3}, "what a star brings can't be seen, so nothing is said to be missing"
    assert _graph("%run helpers.py", step).step("train").cells == {1}


@pytest.mark.parametrize(
    ("sources", "kind", "words"),
    [
        (["%%mlrun --step a\nx = 1", "%%mlrun --step a\ny = 1"], Conflict, "Two steps are called 'a': cells 1 and 2"),
        (["%%mlrun --step a\nx = y"], InvalidInput, "The step 'a' reads 'y', and it isn't there"),
        (["%%mlrun --step a\nx = y", "y = 1"], InvalidInput, "'y' too early: only cell 2 makes it"),
        (
            ["%%mlrun --step a\nx = y", "z = x", "%%mlrun --step b\ny = z"],
            Conflict,
            "The steps 'a' and 'b' need each other: a reads 'y' of b, which reads x of a",
        ),
        (["%%mlrun --step a\nx = ("], InvalidCell, "The step 'a' isn't valid Python: line 1 of its code"),
        (["%%mlrun --step a b\nx = 1"], InvalidInput, "Cell 1 can't be read: A step can't be called 'a b'"),
        (["%%mlrun --stpe a\nx = 1"], InvalidInput, "Cell 1 can't be read: %%mlrun has no option --stpe"),
    ],
)
def test_what_can_not_be_a_pipeline_says_why(sources: list[str], kind: type[MlopsError], words: str) -> None:
    with pytest.raises(kind) as caught:
        _graph(*sources).to_run()
    assert words in str(caught.value)


def test_what_can_not_run_keeps_nothing_else() -> None:
    graph = _graph("%%mlrun --step a\nx = 1", "%%mlrun --step b\ny = x + nowhere", "%%mlrun --step c\nz = x")
    assert [cell.step for cell in graph.to_run("c")] == ["a", "c"]
    views = {view.name: view for view in views_of(graph, {})}
    assert [view.state for view in views.values()] == ["new", "failed", "new"] and "nowhere" in views["b"].words


def test_cells_that_save_what_steps_made_run_too() -> None:
    train = "%%mlrun --step train\nmodel = fit(rows)"
    save = "kept = mlops.save_model(model, 'churn', valid=valid)"
    graph = _graph(
        "import jupyter_mlops as mlops\nfit = len\nrows = [1]",
        train,
        "valid = rows, rows",
        save,
        "print(kept)",
        "mlops.save_model(3, 'other')",
    )
    assert [cell.number for cell in graph.to_run()] == [1, 2, 3, 4], "not what saves nothing of a step"
    assert [cell.number for cell in graph.to_run("train")] == [1, 2]
    assert [each.needs for each in graph.saving] == [["train"]] and graph.saving[0].cell.saves == ("churn",)
    assert cell_of(1, "mlops.save_model(m, name=name)\nsave_model(m, 'b')\nmlops.save_model(m, name='a')").saves == (
        "",
        "b",
        "a",
    )
    late = _graph("import jupyter_mlops as mlops\nfit = len\nrows = [1]", train, save, "valid = rows, rows")
    with pytest.raises(InvalidInput, match="Cell 3 reads 'valid' too early: only cell 4 makes it") as caught:
        late.to_run()
    assert caught.value.todo == "Move that cell above cell 3."


def test_steps_are_found_by_their_names() -> None:
    with pytest.raises(NotFound, match="There is no step 'tarin'"):
        _graph(*CELLS).to_run("tarin")
    with pytest.raises(NotFound, match="This notebook has no steps"):
        _graph("x = 1").to_run()


def test_a_notebook_and_a_plain_file_have_cells(tmp_path: Path) -> None:
    notebook, script = tmp_path / "a.ipynb", tmp_path / "a.py"
    cells = [{"cell_type": "code", "source": [*each.splitlines(True)]} for each in CELLS]
    notebook.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "# Title"}, *cells]}))
    assert [cell.source for cell in read_cells(notebook)] == CELLS
    script.write_text("import os\n# %% data\n\n# %%mlrun --step load\ntable = 1\n# %%\nx = table\n")
    assert [(cell.step, cell.body) for cell in read_cells(script)] == [
        ("", "import os"),
        ("load", "table = 1"),
        ("", "x = table"),
    ]
    with pytest.raises(NotFound):
        read_cells(tmp_path / "no.ipynb")
    for text in ("", "[]", '{"cells": 3}', '{"cells": [{}]}'):
        notebook.write_text(text)
        with pytest.raises(Unreadable, match="it is no notebook"):
            read_cells(notebook)
