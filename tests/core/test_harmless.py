"""What others wrote is only shown: by a terminal, and by a browser that gets all of it."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.base import read_record
from jupyter_mlops.core.cluster import ClusterState, Event, Problem, WorkerState
from jupyter_mlops.core.errors import MOST_SAID, MlopsError, UnknownRun
from jupyter_mlops.core.run import MOST, RunState
from jupyter_mlops.core.words import harmless

ESCAPE = "\x1b]0;owned\x07\x9b2J"
RUN = {"id": "0123456789ab", "kind": "cell", "cluster": "c", "owner": "me", "created": 1.0}


@given(st.text(st.characters(), max_size=50), st.one_of(st.none(), st.integers(10, 60)))
def test_a_terminal_obeys_nothing_and_letters_stay(text: str, most: int | None) -> None:
    shown = harmless(text, most)
    assert all(unicodedata.category(letter) not in ("Cc", "Cs", "Zl") or letter in "\n\t" for letter in shown)
    assert harmless(shown) == shown
    if text.isprintable() and most is None:
        assert shown == text


def test_what_is_obeyed_is_seen_and_colours_are_left_out() -> None:
    assert harmless("a\x1b[31mred\x1b[0m\r\x1b[2J\u202eb\ud800") == "ared\\r\\x1b[2J\\u202eb\\ud800"
    assert harmless("Grüße, 日本, 👩‍🔬\n\tx") == "Grüße, 日本, 👩‍🔬\n\tx"
    assert harmless("begin" + "x" * 10_000 + "end", 30).startswith("begin")
    assert harmless("begin" + "x" * 10_000 + "end", 30).endswith("end")


def test_records_of_others_have_bounds_and_no_escapes() -> None:
    long = ESCAPE + "x" * 5_000_000
    table = {f"{number}": long for number in range(3)}
    run = read_record(
        RunState, {**RUN, "name": long, "error": long, "code": "x" * len(long), "params": table, "options": {}}
    )
    assert len(run.name) < 250 and len(run.error) < MOST_SAID + 100
    assert len(run.model_dump_json()) < 400_000
    many = read_record(RunState, {**RUN, "name": "n", "metrics": {str(number): 1 for number in range(9999)}})
    assert len(many.metrics) == MOST
    worker = read_record(WorkerState, {"name": long, "group": "g", "phase": "idle", "since": 1, "host": long})
    event = read_record(Event, {"seq": 1, "time": 1, "kind": "run", "text": long, "worker": long})
    told = {"name": "c", "place": "local", "profile": "p", "owner": ESCAPE, "phase": "running", "created": 1}
    for record in (run, worker, event, Problem(what=long, why=long), ClusterState.model_validate(told)):
        text = record.model_dump_json()
        assert len(text) < 400_000 and "\\u001b" not in text and "\x9b" not in text, type(record)


def test_errors_have_bounds_and_no_escapes() -> None:
    error = MlopsError(ESCAPE, "x" * 5_000_000, ESCAPE)
    assert len(str(error)) < MOST_SAID + 200 and "\x1b" not in str(error) and "\x9b" not in str(error)
    assert len(str(UnknownRun.named("x" * 5_000_000, ["y" * 12]))) < 300
