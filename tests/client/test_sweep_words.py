"""What a cell says of a sweep."""

from __future__ import annotations

from jupyter_mlops.client.runs.sweeps.view import table_html, table_text
from jupyter_mlops.client.words import sentence
from jupyter_mlops.core.run import RunState
from jupyter_mlops.core.sweep import Trial


def trials(number: int) -> list[Trial]:
    first = [
        Trial(number=0, params={"act": "<b>"}, phase="done", value=0.5, began=0, ended=2),
        Trial(number=1, params={"act": "relu"}, phase="done", value=0.25, began=0, ended=2),
        Trial(number=2, params={"act": "relu"}, phase="failed", error="ValueError: no", began=0, ended=2),
        Trial(number=3, params={"act": "relu"}, began=0),
    ]
    others = (Trial(number=each, params={}, phase="pruned", value=0, began=0, ended=1) for each in range(4, number))
    return [*first, *others][:number]


def test_the_table_marks_the_best_trial_and_says_what_it_leaves_out() -> None:
    text = table_text(trials(4), "max")
    assert [line.split()[:2] for line in text.splitlines()[1:]] == [
        ["★", "0"],
        ["1", "relu"],
        ["2", "relu"],
        ["3", "relu"],
    ]
    assert "failed: ValueError: no" in text and "under way" in text and "best 10" not in text
    assert table_text(trials(4), "min").splitlines()[1].split()[:2] == ["★", "1"]
    assert "The best 10 of 300 trials" in table_text(trials(300), "max").splitlines()[-1]
    html = table_html(trials(300), "max")
    assert "<td><b>★\N{NO-BREAK SPACE}0</b></td>" in html and "&lt;b&gt;" in html and html.count("<tr>") == 11
    assert table_html([], "max") == table_text([], "max") == ""


def test_its_line_says_how_far_it_is_and_its_best_value() -> None:
    state = RunState(id="a" * 12, name="s", kind="sweep", cluster="c", owner="", created=0, phase="running", total=100)
    state = state.model_copy(update={"done": 30, "failed": 2, "options": {"known": 5}, "metrics": {"best": 0.98125}})
    assert sentence(state, now=60) == "running · 37 of 100 trials, 2 failed · best 0.9812 · 1 min · on c"
    done = state.model_copy(update={"phase": "done", "error": "its time of 1 min is over", "ended": 60})
    assert sentence(done) == "done, its time of 1 min is over · 37 trials, 2 failed · best 0.9812 · 1 min · on c"
