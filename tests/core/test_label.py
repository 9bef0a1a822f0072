"""What becomes of labels: joined, or left out, and each told apart."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from jupyter_mlops.core.label import JoinedLabels, scored, told_apart, words_of


@pytest.mark.parametrize(
    ("task", "answer", "label", "found"),
    [
        ("classification", '"left"', "left", ('"left"', 1.0)),
        ("classification", '"left"', np.str_("stayed"), ('"stayed"', 0.0)),
        ("classification", '"1"', 1.0, ('"1"', 1.0)),  # as pandas reads a file
        ("classification", "1", "1", ("1.0", 1.0)),
        ("classification", "0", np.True_, ("1.0", 0.0)),
        ("classification", "true", "True", ("1.0", 1.0)),
        ("classification", "1", "yes", None),
        ("regression", "2.5", "2", ("2.0", 0.25)),
        ("regression", "2.5", math.inf, None),
        ("regression", "1e300", "-1e300", None),
        ("regression", "null", 1, None),
        ("regression", "[1, 2]", 1, None),
        ("regression", "1" + "0" * 400, 1, None),
        ("other", "[1, 2]", "good", ('"good"', None)),
        ("other", "[1, 2", "cut", ('"cut"', None)),
        ("classification", "{", "good", None),
    ],
)
def test_a_label_is_held_against_what_was_answered(task: str, answer: str, label: object, found: object) -> None:
    assert scored(task, answer, label) == found


def test_what_comes_twice_is_told_apart() -> None:
    joined = JoinedLabels()
    given = [("a", 1), ("a", 1.0), ("b", "x"), ("b", "y"), ("b", "x"), ("c", None), ("d", math.nan), ("e\x1b", "")]
    given += [("f", pd.NA), ("g", pd.NaT), ("h", np.array([1, 2])), ("i", [1]), ("j", Decimal("2.5")), ("k", 10**5000)]
    assert told_apart(given, joined) == {"a": 1, "j": 2.5}
    assert (joined.same, joined.contradicting, joined.empty, joined.wrong) == (1, 1, 5, 3)
    joined.add("new", "a")
    assert words_of(joined) == (
        "1 label is new; 1 was there already; 1 has several labels here, and gets none: b; "
        "3 can't be true of what it answers: h, i and k; 5 say nothing"
    )
    for at in range(9):
        joined.add("strangers", f"s{at}")
    assert "9 are unknown: s0, s1, s2, s3 and s4" in words_of(joined)
