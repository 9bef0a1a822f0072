"""`%%mlrun --step`: what a cell has made is kept, and taken from there while nothing that it rests on changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import jupyter_mlops as mlops
from jupyter_mlops.core.errors import InvalidSpec, NotFound, RunFailed
from jupyter_mlops.home.steps import VALUES, pipelines_dir

RunCell = Callable[[str], Any]

#: Each time that it is computed it adds a mark to a file that no text of the cell names.
TRAIN = """
open("".join(["marks", ".txt"]), "a").write("x")
model = Model(scale(len(open("data.csv").read())))
model.size
"""


@pytest.fixture
def marks(tmp_path: Path) -> Callable[[], int]:
    """How often the step was computed."""
    return lambda: len((tmp_path / "marks.txt").read_text())


def test_a_step_is_computed_when_something_has_changed(
    run_cell: RunCell,
    shell: InteractiveShell,
    tmp_path: Path,
    marks: Callable[[], int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("12345")
    run_cell("factor = 2\ndef scale(n): return n * factor")
    run_cell("class Model:\n    def __init__(self, size): self.size = size")
    assert run_cell(f"%%mlrun --step train{TRAIN}") == 10 and marks() == 1
    run_cell("del model")
    assert run_cell(f"%%mlrun --step train\n# a remark{TRAIN}") == 10 and marks() == 1
    assert isinstance(shell.user_ns["model"], shell.user_ns["Model"])
    assert "train is as it was at " in capsys.readouterr().out
    assert run_cell(f"%%mlrun --step train --again{TRAIN}") == 10 and marks() == 2
    data.write_text("123456")
    assert run_cell(f"%%mlrun --step train{TRAIN}") == 12 and marks() == 3
    assert "data.csv changed since" in capsys.readouterr().out
    run_cell("factor = 3")
    assert run_cell(f"%%mlrun --step train{TRAIN}") == 18 and marks() == 4
    assert "train is computed: 'scale' or what it uses changed since" in capsys.readouterr().out
    run_cell("factor = 2")
    assert run_cell(f"%%mlrun --step train{TRAIN}") == 12 and marks() == 4, "as it was before"

    # what came out of a step is what its step made, though it was unpickled
    read = "%%mlrun --step test\nopen(''.join(['marks', '.txt']), 'a').write('x')\nscore = model.size"
    run_cell(read)
    assert marks() == 5
    run_cell(f"%%mlrun --step train{TRAIN}")
    run_cell(read)
    assert marks() == 5 and shell.user_ns["score"] == 12

    # what is beside the code: the environment, paths in variables of functions, files that change while it runs
    monkeypatch.setenv("STEP_RATE", "1")
    (tmp_path / "rate.txt").write_text("2")
    run_cell("places = {'rate': 'rate.txt'}\ndef rate_of(): return open(places['rate']).read()")
    run_cell("def note(place):\n    with open(place, 'a') as file: file.write('x')")
    rate = "%%mlrun --step rate\nimport os\nnote('rates.txt')\nwith open('seen.txt', 'a') as file: file.write('x')\n"
    rate += "print('rated')\nshown = display({'text/plain': 'shown'}, raw=True, display_id=True)\n"
    rate += "os.environ['STEP_RATE'] + rate_of()"
    assert [run_cell(rate), run_cell(rate)] == ["12", "12"] and (tmp_path / "rates.txt").read_text() == "x"
    monkeypatch.setenv("STEP_RATE", "3")
    assert run_cell(rate) == "32"
    told = capsys.readouterr().out
    assert "rate is computed: $STEP_RATE changed since" in told and "rates.txt changed while rate ran" in told
    assert "seen.txt changed" not in told, "its code says that it writes it"
    assert told.count("rated\n") == 3 and told.count("shown\n") == 3, "what it showed is shown again"
    (tmp_path / "rate.txt").write_text("45")
    assert run_cell(rate) == "345"

    # values that somebody else has put there aren't unpickled
    for values in pipelines_dir().rglob(VALUES):
        assert values.stat().st_mode & 0o077 == 0
        sealed = bytearray(values.read_bytes())
        sealed[30] ^= 1  # in the seal: what is sealed is whole
        values.write_bytes(sealed)
    assert run_cell(f"%%mlrun --step train{TRAIN}") == 12 and marks() == 6

    # a map, and one that fails
    squares = "%%mlrun --step squares --map range(4) --as n --out squares\nn * n"
    run_cell(squares)
    run_cell("del squares")
    run_cell(squares)
    assert shell.user_ns["squares"] == [0, 1, 4, 9] and "squares is as it was" in capsys.readouterr().out
    for _ in range(2):
        with pytest.raises(RunFailed):
            run_cell("%%mlrun --step bad\n1 / 0")
    assert "bad failed when it ran last" in capsys.readouterr().out

    # what changes its input, what draws numbers, and what can't be pickled, is told
    run_cell("%%mlrun --step place\nmodel.size = 0\nimport random\nchosen = random.random()")
    told = capsys.readouterr().out
    assert "place changes what it reads: 'model'" in told and "place uses random numbers without a seed" in told
    run_cell("%%mlrun --step lock\nimport threading\nlock = threading.Lock()")
    told = capsys.readouterr()
    assert "lock isn't kept: 'lock', a _thread.lock, can't travel" in told.out and "stayed" not in told.err
    with pytest.raises(InvalidSpec, match="can't map over a generator"):
        run_cell("%%mlrun --step squares --map (n for n in range(4))\nitem")
    with pytest.raises(InvalidSpec, match="can't be combined"):
        run_cell("%%mlrun --step train --detach\n1")
    with pytest.raises(InvalidSpec, match="--again needs --step"):
        run_cell("%%mlrun --again\n1")


#: The first two cells are needed by steps, the third is not; the last step fails until there is a file.
PIPELINE = [
    "class Box:\n    def __init__(self, size): self.size = size\ndef double(n): return 2 * n",
    "one = 1",
    "raise RuntimeError('nobody needs it')",
    "%%mlrun --step two\nopen(''.join(['two', '.txt']), 'a').write('x')\ntwo, box = double(one), Box(one)\nbox",
    "%%mlrun --step four\nopen(''.join(['four', '.txt']), 'a').write('x')\nfour = two + double(one)",
    "%%mlrun --step last\ntext = open('there.txt').read() * four\nprint('it says', text)\n"
    "open(''.join(['sums', '.ipynb']), 'a').write(' ')",
]


def _notebook(path: Path, *cells: str) -> None:
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source} for source in cells]}))


def test_a_pipeline_runs_by_itself_and_goes_on_where_it_failed(
    run_cell: RunCell,
    shell: InteractiveShell,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notebook = tmp_path / "sums.ipynb"
    _notebook(notebook, *PIPELINE)
    pipeline = mlops.pipeline(notebook)
    with pytest.raises(RunFailed, match="The step 'last' failed: FileNotFoundError"):
        pipeline.run(cluster="notes")
    assert "nobody needs it" not in capsys.readouterr().out
    assert [step.state for step in pipeline.steps] == ["done", "done", "failed"]
    (tmp_path / "there.txt").write_text("ab")
    pipeline.run(cluster="notes")
    told = capsys.readouterr().out
    assert "it says abababab" in told and "last (3 of 3)" in told
    assert "sums.ipynb was edited meanwhile: this ran as it was before." in told
    assert [step.state for step in pipeline.steps] == ["done", "done", "done"]
    assert [len((tmp_path / f"{name}.txt").read_text()) for name in ("two", "four")] == [1, 1]
    pipeline.run(since="four", until="four", cluster="notes")
    assert [len((tmp_path / f"{name}.txt").read_text()) for name in ("two", "four")] == [1, 2]

    # what it has made is there in the notebook, too
    monkeypatch.setenv("JPY_SESSION_NAME", "sums.ipynb")
    with pytest.raises(NotFound, match="two lacks 'Box', 'double' and 'one'"):
        run_cell(PIPELINE[3])
    for cell in PIPELINE[:2]:
        run_cell(cell)
    shown = run_cell(PIPELINE[3])
    assert type(shown) is type(shell.user_ns["box"]) is shell.user_ns["Box"], "it is of this kernel's class"
    run_cell(PIPELINE[4])
    assert shell.user_ns["four"] == 4
    assert [len((tmp_path / f"{name}.txt").read_text()) for name in ("two", "four")] == [1, 2]
    run_cell(PIPELINE[4].replace("two +", "3 *"))
    mlops.pipeline()
    assert "The notebook's file has another four than what ran here last: save it" in capsys.readouterr().out
