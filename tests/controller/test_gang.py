"""What becomes of a gang: a table of events and orders, without Dask."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.controller.runs.gangs.gang import MOST_ATTEMPTS, PATIENCE, Cause, Gang, SeatState


class Notes:
    """Writes down what a gang orders."""

    def __init__(self) -> None:
        self.orders: list[tuple[int, str, dict[str, Any]]] = []
        self.said: list[str] = []
        self.failed: list[str] = []

    def order(self, seat: SeatState, do: str, **what: Any) -> None:
        """Of a seat's number."""
        self.orders.append((seat.number, do, what))

    def say(self, text: str) -> None:
        """A line."""
        self.said.append(text)

    def fail(self, error: str) -> None:
        """The end."""
        self.failed.append(error)

    def taken(self) -> list[tuple[int, str]]:
        """Which seats were ordered what since the last call."""
        orders, self.orders = self.orders, []
        return [(number, do) for number, do, _ in orders]


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def gang(notes: Notes) -> Gang:
    """Two seats with a rank each, of which all run."""
    made = Gang(["a", "b"], 1, notes)
    _sit(made, 0)
    _sit(made, 1)
    assert notes.taken() == [(0, "start"), (1, "start")]
    return made


def _sit(gang: Gang, number: int, machine: str = "here") -> None:
    seat = gang.seats[number]
    gang.given(seat, f"worker-{number}")
    gang.ready(seat, seat.worker, {"machine": machine, "host": f"host-{number}", "port": 1 + number, "folder": "/f"}, 0)


def _raised(rank: int, error: str = "ValueError: no") -> Cause:
    return Cause(rank, "raised", error)


def test_no_rank_starts_before_all_seats_are_taken(notes: Notes) -> None:
    gang = Gang(["a", "b", "c"], 2, notes)
    _sit(gang, 0)
    _sit(gang, 2)
    assert notes.orders == [] and [seat.key for seat in gang.empty] == ["b"]
    _sit(gang, 1)
    assert [(number, what["first"], what["ranks"], what["world"]) for number, _, what in notes.orders] == [
        (0, 0, 2, 6),
        (1, 2, 2, 6),
        (2, 4, 2, 6),
    ]


@pytest.mark.parametrize(("machines", "file"), [(("one", "one"), "/f/store-1"), (("one", "other"), "")])
def test_they_meet_in_a_file_where_they_share_a_machine(notes: Notes, machines: tuple[str, str], file: str) -> None:
    gang = Gang(["a", "b"], 1, notes)
    for number, machine in enumerate(machines):
        _sit(gang, number, machine)
    assert [(what["file"], what["host"], what["port"]) for _, _, what in notes.orders] == [(file, "host-0", 1)] * 2


def test_when_all_ranks_have_ended_the_gang_has(gang: Gang, notes: Notes) -> None:
    gang.ended(gang.seats[0], 0, None, 1)
    assert notes.taken() == []
    gang.ended(gang.seats[1], 1, None, 2)
    assert [(number, do, what["blame"]) for number, do, what in notes.orders] == [
        (0, "finish", None),
        (1, "finish", None),
    ]


def test_who_raised_is_to_blame_and_not_who_lost_it(gang: Gang, notes: Notes) -> None:
    gang.ended(gang.seats[0], 0, Cause(0, "lost others", "RuntimeError: Connection closed by peer"), 1)
    assert notes.taken() == [], "the cause is waited for"
    gang.ended(gang.seats[1], 1, _raised(1), 1.1)
    assert {(do, what["blame"]) for _, do, what in notes.orders} == {("finish", 1)}


def test_who_lost_others_is_to_blame_when_nobody_else_is(gang: Gang, notes: Notes) -> None:
    gang.ended(gang.seats[0], 0, Cause(0, "lost others", "TimeoutError"), 1)
    gang.look(1 + PATIENCE - 0.1)
    assert notes.taken() == []
    gang.look(1 + PATIENCE)
    assert {(do, what["blame"]) for _, do, what in notes.orders} == {("finish", 0)}


def test_a_worker_that_goes_is_replaced_and_all_begin_again(gang: Gang, notes: Notes) -> None:
    gang.left(gang.seats[1], 1)
    assert notes.taken() == [(0, "break")]
    assert [seat.key for seat in gang.empty] == ["b"]
    _sit(gang, 0)
    assert notes.taken() == [] and "rank 1 went" in notes.said[0]
    _sit(gang, 1)
    assert [(do, what["attempt"]) for _, do, what in notes.orders] == [("start", 2), ("start", 2)]


def test_a_rank_that_was_done_begins_again_with_the_others(gang: Gang, notes: Notes) -> None:
    gang.ended(gang.seats[0], 0, None, 1)
    gang.left(gang.seats[1], 2)
    assert notes.taken() == [(0, "break")]


def test_what_a_gone_worker_left_to_others_isnt_their_fault(gang: Gang, notes: Notes) -> None:
    gang.ended(gang.seats[0], 0, Cause(0, "lost others", "RuntimeError: Connection reset by peer"), 1)
    gang.left(gang.seats[1], 2)
    assert notes.failed == [] and notes.taken() == [(0, "break")]


def test_a_worker_that_goes_before_ranks_started_is_only_replaced(notes: Notes) -> None:
    gang = Gang(["a", "b"], 1, notes)
    _sit(gang, 0)
    gang.left(gang.seats[0], 1)
    assert [seat.key for seat in gang.empty] == ["a", "b"]
    _sit(gang, 1)
    _sit(gang, 0)
    assert notes.taken() == [(0, "start"), (1, "start")] and notes.said == []


def test_a_seat_whose_worker_did_not_take_it_is_given_another(notes: Notes) -> None:
    gang = Gang(["a"], 1, notes)
    gang.given(gang.seats[0], "leaving")
    gang.refused(gang.seats[0])
    assert [seat.key for seat in gang.empty] == ["a"]
    _sit(gang, 0)
    assert notes.taken() == [(0, "start")]


def test_workers_that_go_again_and_again_end_it(gang: Gang, notes: Notes) -> None:
    for _ in range(MOST_ATTEMPTS):
        gang.left(gang.seats[1], 1)
        _sit(gang, 0)
        if not gang.over:
            _sit(gang, 1)
    assert gang.over and "in 100 attempts" in notes.failed[0]


def test_a_worker_that_goes_with_the_last_word_ends_it(gang: Gang, notes: Notes) -> None:
    for seat in gang.seats:
        gang.ended(seat, seat.number, None, 1)
    gang.left(gang.seats[1], 2)
    assert "before it had told" in notes.failed[0]
