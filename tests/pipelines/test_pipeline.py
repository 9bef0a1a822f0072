"""A notebook's steps as one thing: how it is shown, and what is exported of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import InvalidCell, NotFound
from jupyter_mlops.core.step import StepRecord
from jupyter_mlops.home.steps import step_folder
from jupyter_mlops.pipelines.cells import cell_of
from jupyter_mlops.pipelines.graph import graph_of
from jupyter_mlops.pipelines.show import as_html, as_text, code_of, views_of

CELLS = [
    "%load_ext jupyter_mlops\nimport math",
    "if True:\n    %matplotlib inline\ndef root(x):\n    return math.sqrt(x)",
    "%%mlrun --step load --name <b>\nrows = [1, 4, 9]",
    "!echo nothing",
    '%%mlrun --step roots --map rows --as row --out roots --timeout 5min\ntext = """a\nb"""  # remark\n'
    "if row == 4:\n    return 2\n(root(row)\n + len(text)) - 3  # in two lines",
    "%%mlrun --step total\ntotal = sum(roots)\ndisplay(total)",
]

STEP = "%%mlrun --step a\nasyncio.run(None)"


def _notebook(path: Path, *sources: str) -> Path:
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source} for source in sources]}))
    return path


def test_an_export_runs_alone(tmp_path: Path) -> None:
    made = mlops.pipeline(_notebook(tmp_path / "sums.ipynb", *CELLS))
    text = str(made.export())
    assert made.export(tmp_path / "sums.py") == made.export(str(tmp_path / "sums.py")) == tmp_path / "sums.py"
    assert (tmp_path / "sums.py").read_text() == text and "mlops" not in text and "# remark" in text
    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "sums.py")], capture_output=True, text=True, timeout=150, check=True
    )
    assert done.stdout == "6.0\n"
    with pytest.raises(InvalidCell, match="The step a can't be exported"):
        mlops.pipeline(
            _notebook(tmp_path / "a.ipynb", "%%mlrun --step a\nimport asyncio\nawait asyncio.sleep(0)")
        ).export()
    with pytest.raises(InvalidCell, match="'files = !ls' is a command of the notebook"):
        mlops.pipeline(_notebook(tmp_path / "a.ipynb", "files = !ls", "%%mlrun --step a\nx = files")).export()
    with pytest.raises(NotFound, match="This notebook has no steps"):
        mlops.pipeline(_notebook(tmp_path / "a.ipynb", "x = 1")).export()


def test_a_pipeline_shows_its_steps_and_how_they_are() -> None:
    graph = graph_of([cell_of(number, source) for number, source in enumerate(CELLS, start=1)])

    def record(name: str, made: float, **fields: str) -> StepRecord:
        parts = {"its code": code_of(graph.step(name).cell)}
        return StepRecord(name=name, key="k", parts=parts, made=made, took=2, **fields)

    last: dict[str, StepRecord | None] = {"load": record("load", 100), "roots": record("roots", 200)}
    views = {view.name: view for view in views_of(graph, last)}
    assert [view.state for view in views.values()] == ["done", "done", "new"]
    last |= {"load": record("load", 300), "total": record("total", 250, error="ValueError: <no>\nmore")}
    views = {view.name: view for view in views_of(graph, last)}
    assert [view.state for view in views.values()] == ["done", "changed", "failed"]
    assert "2 s; load ran since" in views["roots"].words and views["total"].words.endswith("ValueError: <no>")
    last["roots"] = record("roots", 200).model_copy(update={"seen": 400})
    assert views_of(graph, last)[1].state == "done", "it was found to be as it was"
    for made, state in (("1", "done"), ("2", "changed")):
        read = {"its code": code_of(graph.step("roots").cell), "'rows'": "1"}
        last["load"] = record("load", 300).model_copy(update={"makes": {"rows": made}})
        last["roots"] = record("roots", 200).model_copy(update={"parts": read})
        assert views_of(graph, last)[1].state == state
    last["roots"] = record("roots", 400).model_copy(update={"parts": {"its code": "another"}})
    assert views_of(graph, last)[1].words.endswith("its code has changed since")
    text = as_text("sums.ipynb", list(views.values()))
    assert text.splitlines()[0] == "sums.ipynb: 3 steps" and "roots  ← load (rows)  → roots  · done at" in text
    picture = ElementTree.fromstring(as_html("sums.ipynb", list(views.values())))
    assert len(picture.findall(".//rect")) == 3 and len(picture.findall(".//path")) == 2
    assert [each.text for each in picture.findall(".//text")][::2] == [
        "load → rows",
        "roots → roots",
        "total → total",
    ]


def test_the_command_line_shows_and_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    path = str(_notebook(tmp_path / "sums.ipynb", *CELLS))
    assert main(["pipeline", "show", path]) == 0
    assert "roots  ← load (rows)  → roots  · not yet computed" in capsys.readouterr().out
    assert main(["pipeline", "show", path, "--json"]) == 0
    assert [step["name"] for step in json.loads(capsys.readouterr().out)["steps"]] == ["load", "roots", "total"]
    assert main(["pipeline", "export", path]) == 0
    assert capsys.readouterr().out == mlops.pipeline(path).export()
    assert main(["pipeline", "list"]) == 0 and capsys.readouterr().out == "No notebook runs by itself.\n"
    assert not (tmp_path / "home" / "pipelines" / "clock").exists()
    for asked, told in {
        ("run", path, "--since", "no"): "There is no step 'no'. There are: load, roots, total.",
        ("run", path, "--since", "roots", "--until", "load"): "load doesn't need roots",
        ("run", path, "--cluster", "nope"): "no cluster",
        ("export", path, "--out", str(tmp_path / "no" / "a.py")): "can't be written",
        ("export", path, "--out", path): "sums.ipynb is there: it is no program that was exported",
        ("show", f"{path}x"): "There is no notebook",
        ("show",): "`pipeline show` needs a notebook",
        ("schedule", path): "When is it to run?",
        ("schedule", path, "--every", "often"): "every can't be 'often'",
        ("unschedule", path): "doesn't run by itself",
    }.items():
        assert main(["pipeline", *asked]) == 2
        assert told in capsys.readouterr().err


def test_a_step_of_one_notebook_is_none_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    step_folder("/a/x.ipynb", "load").note(StepRecord(name="load", key="k", error="no"))
    assert step_folder("/b/x.ipynb", "load").last() is None
    there = step_folder("/a/x.ipynb", "load").last()
    assert there is not None and there.error == "no"
    (step_folder("/a/x.ipynb", "load").path / "last.json").write_text("{")
    assert step_folder("/a/x.ipynb", "load").last() is None
