"""A log that is followed by looking at its end again and again."""

from __future__ import annotations

import random

from jupyter_mlops.cli.follow import Follower


def test_a_half_written_line_is_shown_once_and_whole() -> None:
    follower = Follower()
    assert follower.new(["a", "b"], over=False) == ["a"]
    assert follower.new(["a", "b", "Trace"], over=False) == ["b"]
    assert follower.new(["a", "b", "Traceback"], over=False) == []
    assert follower.new(["a", "b", "Traceback", "c"], over=False) == ["Traceback"]
    assert follower.new(["a", "b", "Traceback", "c"], over=False) == ["c"]
    assert follower.new(["a", "b", "Traceback", "c"], over=True) == []


def test_one_that_stays_half_written_is_shown_again_when_it_is_whole() -> None:
    follower = Follower()
    follower.new(["a", "50 %"], over=False)
    assert follower.new(["a", "50 %"], over=False) == ["50 %"]
    assert follower.new(["a", "50 % done", "b"], over=True) == ["50 % done", "b"]


def test_only_the_last_lines_at_first() -> None:
    follower = Follower()
    assert follower.new(list("abcdef"), over=False, most=2) == ["d", "e"]
    assert follower.new(list("abcdefg"), over=False) == ["f"]
    assert follower.new(list("abcdefg"), over=True) == ["g"]
    assert Follower().new([], over=False) == []


def test_whatever_repeats_itself_comes_once_for_each_time_it_was_written() -> None:
    """Lines that are often the same, written in pieces, looked at through a window."""
    for seed in range(200):
        chance = random.Random(seed)
        text = "".join(f"{chance.choice('ab')} {chance.randint(0, 30)}\n" for _ in range(120))
        follower, got, at = Follower(), list[str](), 0
        while at < len(text):
            at = min(len(text), at + chance.randint(1, 40))
            got += follower.new(text[:at].splitlines()[-60:], over=False)
        got += follower.new(text.splitlines()[-60:], over=True)
        assert got == text.splitlines()
