"""The words for people: the same cases are tested against the sidebar's, in `labextension/tests/words.spec.ts`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_mlops.client import words as told
from jupyter_mlops.core import words
from jupyter_mlops.core.cluster import Counts, Stop
from jupyter_mlops.core.idle import Waste
from jupyter_mlops.core.price import Cost, Usage

_NOW = 1_000.0


def _sum(amount: float | None, unknown: dict[str, float]) -> str:
    return told.cost_so_far(Cost(amount=amount, unknown=Usage(**unknown)))


def _workers(counts: dict[str, int], wanted: int) -> str:
    return told.workers(Counts(**counts), wanted)


def _will_stop(cause: Any, left: float) -> str:
    return told.will_stop(Stop(at=_NOW + left, cause=cause), _NOW)


def _waste(value: Any, named: bool) -> str:
    return Waste(**value).sentence(named)


#: The functions whose names or arguments are not those of the table.
_OTHERS = {"waste": _waste, "sum": _sum, "workers": _workers, "will_stop": _will_stop, "ended": words.ending}

_TABLE: dict[str, list[list[Any]]] = json.loads(Path(__file__).with_name("words.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("function", "given", "expected"),
    [(function, case[:-1], case[-1]) for function, cases in _TABLE.items() for case in cases],
)
def test_a_case_of_the_table(function: str, given: list[Any], expected: str) -> None:
    call = _OTHERS.get(function) or getattr(words, function)
    assert call(*given) == expected


@given(st.floats(0, 1e12), st.sampled_from(["USD", "EUR", "CHF", "credits"]))
def test_money_can_be_read_back_to_the_cent(amount: float, currency: str) -> None:
    text = words.money(amount, currency)
    number = re.sub(r"[^0-9.]", "", text)
    assert re.fullmatch(r"\d+\.\d\d", number)
    assert (float(number) == 0) == (amount == 0), "only nothing is nothing"
    if text.startswith("<"):
        assert amount < float(number)
    else:
        assert abs(float(number) - amount) <= 0.005 + 1e-9 * amount


@given(st.floats(1e-12, 1e6))
def test_fine_money_is_never_nothing_and_off_by_five_percent_at_most(amount: float) -> None:
    text = words.fine_money(amount, "USD")
    assert abs(float(text.removeprefix("$").replace(",", "")) - amount) <= 0.05 * amount + 1e-15
    assert "e" not in text


@given(st.decimals(0, 10_000, places=6))
def test_an_exact_amount_keeps_each_digit(amount: Any) -> None:
    text = words.exact_money(float(amount), "USD").removeprefix("$").replace(",", "")
    assert float(text) == float(amount)
    assert len(text.partition(".")[2]) >= 2


@given(st.floats(-1e3, 1e8))
def test_a_span_can_be_read_back(seconds: float) -> None:
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    parts = re.findall(r"([0-9.]+) (s|min|h|d)\b", words.span(seconds))
    read = sum(float(number) * units[unit] for number, unit in parts)
    smallest = units[parts[-1][1]] if len(parts) == 2 else 1
    assert 1 <= len(parts) <= 2
    assert abs(read - max(0.0, seconds)) <= max(smallest, 3600 if seconds >= 86400 else 60 if seconds >= 3600 else 1)
    assert all(float(number) for number, _ in parts[1:]), "nothing is said to be zero beside something"


@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_what_takes_longer_is_never_said_to_be_shorter(one: float, other: float) -> None:
    units = {"min": 60, "h": 3600, "days": 86400, "than": 0}

    def seconds(text: str) -> int:
        number, unit = text.replace("less", "0").split(" ")[:2]
        return int(number) * units[unit]

    shorter, longer = sorted((one, other))
    assert seconds(words.about(shorter)) <= seconds(words.about(longer))


@given(st.integers(0, 10**17))
@example(99_950_000_000)
def test_a_size_is_near_and_short(amount: int) -> None:
    number, name = words.size(amount).split(" ")
    unit = 1000 ** ["B", "kB", "MB", "GB", "TB", "PB"].index(name)
    assert abs(float(number) * unit - amount) <= 0.5 * unit
    assert len(number) <= 4


@given(st.integers(0, 10**6), st.sampled_from(["worker", "run"]))
def test_one_thing_is_singular_all_else_plural(number: int, noun: str) -> None:
    text = words.count(number, noun)
    assert text.endswith(noun if number == 1 else f"{noun}s")
    assert int(text.split(" ")[0].replace(",", "")) == number


@given(st.lists(st.text("abc", min_size=1), max_size=5))
def test_a_list_names_each(names: list[str]) -> None:
    text = words.listed(names)
    assert re.split(", | and ", text) == (names or [""])


def test_parts_become_sentences() -> None:
    assert words.sentences("no node is free", "", "Wait.") == "no node is free. Wait."
