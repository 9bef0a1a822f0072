"""The line of `%%mlrun`: its options and their values, and what `--map` stands for."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.client.runs.options import Wish, wish_of
from jupyter_mlops.client.runs.split import OPTIONS, split, without_remark
from jupyter_mlops.core.errors import InvalidItems, InvalidSpec
from jupyter_mlops.notebook.cell import arguments, options_of
from jupyter_mlops.notebook.expression import evaluate
from jupyter_mlops.notebook.magics import MlopsMagics

SPACE: dict[str, Any] = {"i": 7, "xs": [3, 1, 2], "k": 10, "day": "mon"}

ITEMS: list[tuple[str, Any]] = [
    ('[f"part-{i}.csv" for i in range(3)]', ["part-0.csv", "part-1.csv", "part-2.csv"]),
    ("range(3, -1, -1)", range(3, -1, -1)),
    ("sorted(xs, key=lambda x: -x)", [3, 2, 1]),
    ("[x --k for x in xs]", [13, 11, 12]),
    ("xs  # all of them", [3, 1, 2]),
    ("'two  blanks, --as x, # no remark'.split(', ')", ["two  blanks", "--as x", "# no remark"]),
    ("['(', \"[\", '''{''']", ["(", "[", "{"]),
    (r"['it\'s']", ["it's"]),
    ("[-1, - 1, xs[-1]]", [-1, -1, 2]),
    ("{'a': 1}", {"a": 1}),
    ("[i for i in xs if i > 1] + [i]", [3, 2, 7]),
    ('"range(2)"', range(2)),
    ("'x' * 2", "xx"),
    ('f"{day}/*.csv"', "mon/*.csv"),
    ("'*.none'", "*.none"),
    ("no/such/*.csv", "no/such/*.csv"),
    ("2024-01/*.csv", "2024-01/*.csv"),
    ("data.csv", "data.csv"),
]


@pytest.mark.parametrize(("text", "items"), ITEMS)
def test_items_are_read_as_they_are_written(text: str, items: Any) -> None:
    remark = text.partition("  # all")
    assert split(f"--map {text}") == [("--map", remark[0])]
    assert split(f"--map {remark[0]} --as n # --out r") == [("--map", remark[0]), ("--as", "n")]
    assert split(f"--detach --map={remark[0]}") == [("--detach", ""), ("--map", remark[0])]
    assert evaluate(remark[0], dict(SPACE)) == items


def test_a_file_that_exists_goes_before_the_expression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "range(2)").touch()
    (tmp_path / "xs.csv").touch()
    assert evaluate('"range(2)"', dict(SPACE)) == "range(2)"
    assert evaluate("xs.csv", dict(SPACE)) == "xs.csv"


NO_ITEMS = [
    ("class", "word of Python's own"),
    ("xs ys", "can't be read"),
    ("lambda", "word of Python's own"),
    ("await xs", "can't be read|can't be evaluated"),
    ("x", "no variable named 'x'"),
    ("xss", "Did you mean 'xs'"),
    ("1/0", "ZeroDivisionError"),
    ("xs[9]", "IndexError"),
    ("x = 3", "can't be read"),
]


@pytest.mark.parametrize(("text", "words"), NO_ITEMS)
def test_what_is_no_expression_is_said(text: str, words: str) -> None:
    with pytest.raises(InvalidItems, match=words):
        evaluate(text, dict(SPACE))


NO_LINES = [
    ("files", "'files' belongs to no option"),
    ("-map xs", "belongs to no option"),
    ("--mpa xs", "Did you mean --map"),
    ("--on_error raise", "Did you mean --on-error"),
    ("--map", "--map needs a value"),
    ("--map --as x", "--map needs a value"),
    ("--map # nothing", "--map needs a value"),
    ("--map [f for f in", r"'\[' is never closed"),
    ("--map range(3 --as x", r"'\(' is never closed"),
    ("--map it's --as x", "a quote ' is never closed"),
    ("--detach yes", "--detach takes no value"),
    ("--detach=yes", "--detach takes no value"),
    ("--as a --as b", "--as is there twice"),
]


@pytest.mark.parametrize(("line", "words"), NO_LINES)
def test_half_a_line_is_refused_in_a_sentence(line: str, words: str) -> None:
    with pytest.raises(InvalidSpec, match=words):
        split(line)


def _arguments(line: str) -> Any:
    return arguments(MlopsMagics.mlrun.parser, line, SPACE)


def test_values_of_the_other_options() -> None:
    args = _arguments("--name it's  fine --out a, b --timeout 1h 30m --retries 2 --workers 2 : 8 # --quiet")
    assert (args.name, args.out, args.timeout, args.retries) == ("it's  fine", "a, b", "1h 30m", 2)
    assert args.workers == "2 : 8" and not args.quiet
    args = _arguments("--name 'run #3 --detach' --cluster $day --group {day} --map [f'{i}' for i in xs]")
    assert args.name == "run #3 --detach" and not args.detach
    assert (args.cluster, args.group, args.map) == ("mon", "mon", "[f'{i}' for i in xs]")
    assert _arguments("--name {nothing} $").name == "{nothing} $"
    hangs = [options_of(_arguments(f"--gang 2{text}")).hang for text in ("", " --hang 5 min", " --hang off")]
    assert hangs == [None, 300, 0]


def test_what_a_size_is_chosen_for() -> None:
    noon = datetime(2026, 11, 27, 12, 0).timestamp()

    def wish(line: str) -> Wish | None:
        return wish_of(options_of(_arguments(f"--map xs {line}")).recorded(), noon)

    assert wish("--as n") is None and wish("--pilot") == wish("--pilot balanced --as n") == Wish("balanced")
    assert wish("--pilot=fastest") == Wish("fastest") and wish("--pilot ask") == Wish(None)
    assert wish("--by 18:00 # today") == Wish("by", by=noon + 6 * 3600)
    assert wish("--by 11:30") == Wish("by", by=noon + 23.5 * 3600), "that is tomorrow"
    assert wish("--by 2h") == Wish("by", by=noon + 7200)
    assert wish("--by 2999-01-02 03:04 --for 20") == Wish("by", datetime(2999, 1, 2, 3, 4).timestamp(), 20)
    assert wish("--for 0.5 --pilot cheapest") == Wish("cheapest", money=0.5)
    for line in ("--by 25:00", "--by 2", "--by 2020-01-01 10:00", "--for a lot", "--for 0", "--pilot --detach"):
        with pytest.raises(InvalidSpec):
            wish(line)


def test_a_remark_ends_a_line_of_words() -> None:
    assert without_remark("start gentle   # a small one").split() == ["start", "gentle"]
    assert without_remark("# list them") == "" and without_remark("select a#b") == "select a#b"


_texts = st.text(st.sampled_from("ab'\"\\ #-{}[](),"), max_size=12).map(repr)
_leaves = st.one_of(_texts, st.integers().map(str), st.sampled_from(["xs", "- k", "--k", "{'a': -1}"]))
_expressions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda parts: f"[{' , '.join(parts)}]"),
        st.builds("({}, {})".format, inner, inner),
        st.builds("(lambda i: - i if {} else {})".format, inner, inner),
        st.builds("[{} for i in xs  if i]".format, inner),
    ),
    max_leaves=8,
)
_plain = st.text(st.sampled_from("abc'-, .:#"), min_size=1, max_size=10).map(str.strip)


@given(_expressions, st.sampled_from(["", " # a remark (", "  "]))
def test_any_expression_comes_through_whole(expression: str, rest: str) -> None:
    expression = f"[{expression}]"  # a minus before a name is an option at the top level, and nowhere else
    assert split(f"--quiet --map {expression} --as n{rest}") == [("--quiet", ""), ("--map", expression), ("--as", "n")]


@given(st.lists(st.tuples(st.sampled_from(OPTIONS), st.one_of(_expressions, _plain)), max_size=4), st.text(max_size=5))
def test_any_line_is_read_or_refused_in_a_sentence(parts: list[tuple[str, str]], rest: str) -> None:
    line = " ".join(f"{option} {value}" for option, value in parts) + rest
    with contextlib.suppress(InvalidSpec):
        assert [option for option, _ in split(line)] == [
            option for option, _ in split(" ".join(f"{option} {value}" for option, value in split(line)))
        ]
