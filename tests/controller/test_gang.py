"""What becomes of a gang: a table of events and orders, without Dask."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.controller.runs.gangs.gang import (
    GROW,
    MOST_ATTEMPTS,
    MOST_PORTS,
    PATIENCE,
    SETTLE,
    Gang,
)
from jupyter_mlops.controller.runs.gangs.seats import Cause, SeatState


class Notes:
    """Writes down what a gang orders."""

    def __init__(self) -> None:
        self.orders: list[tuple[int, str, dict[str, Any]]] = []
        self.said: list[str] = []
        self.failed: list[str] = []
        self.began_from: list[int | None] = []
        self.free = 0
        self.without: list[str] = []

    def order(self, seat: SeatState, do: str, **what: Any) -> None:
        """Of a seat's number."""
        self.orders.append((seat.number, do, what))

    def say(self, text: str) -> None:
        """A line."""
        self.said.append(text)

    def fail(self, error: str) -> None:
        """The end."""
        self.failed.append(error)

    def end_without(self, seats: list[SeatState]) -> None:
        """Their keys."""
        self.without += [seat.key for seat in seats]

    def idle(self) -> int:
        """Workers."""
        return self.free

    def began(self, attempt: int, world: int, resume: dict[str, Any] | None) -> None:
        """An attempt."""
        self.began_from.append(None if resume is None else resume["step"])

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


def _sit(gang: Gang, number: int, machine: str = "here", now: float = 0, **place: Any) -> None:
    seat = gang.seats[number]
    gang.given(seat, f"worker-{number}")
    known = {"machine": machine, "host": f"host-{number}", "port": 1 + number, "jax_port": 9, "folder": "/f", **place}
    gang.ready(seat, seat.worker, known, now)


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


def test_ranks_are_counted_by_machine(notes: Notes) -> None:
    """As under torchrun: those of a machine share its GPUs."""
    gang = Gang(["a", "b", "c"], 2, notes)
    for number, machine in enumerate(("one", "other", "one")):
        _sit(gang, number, machine)
    told = [(what["local"], what["local_world"], what["group_rank"], what["groups"]) for _, _, what in notes.orders]
    assert told == [(0, 4, 0, 2), (0, 2, 1, 2), (2, 4, 0, 2)]


def test_a_trial_that_is_pruned_ends_all_ranks_and_nobody_is_to_blame(gang: Gang, notes: Notes) -> None:
    gang.ended(gang.seats[1], 1, Cause(1, "lost others", "Connection closed by peer"), 1)
    assert notes.taken() == []
    gang.ended(gang.seats[0], 0, None, 1.1, pruned=True)
    assert [(number, do, what["blame"]) for number, do, what in notes.orders] == [(n, "finish", None) for n in (0, 1)]
    gang.ended(gang.seats[1], 1, _raised(1), 1.2)
    assert gang.over and len(notes.orders) == 2 and not notes.failed


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


# Checkpoints, restarts, workers that are about to go


def _write(gang: Gang, *ranks: int, step: int = 10, alone: bool = False) -> None:
    for rank in ranks:
        gang.written(rank, step, 0.5, alone, {f"file-{rank}": 1})


def test_a_checkpoint_is_kept_once_all_have_written(gang: Gang, notes: Notes) -> None:
    _write(gang, 1)
    assert notes.taken() == []
    _write(gang, 0)
    ((number, do, what),) = notes.orders
    assert (number, do) == (0, "keep"), "by rank 0's seat"
    files = {"file-0": 1, "file-1": 1}
    assert what["manifest"] == {"step": 10, "attempt": 1, "best": 0.5, "world": 2, "files": files}


def test_one_that_writes_alone_waits_for_nobody(gang: Gang, notes: Notes) -> None:
    _write(gang, 1, alone=True)
    assert notes.taken() == [(0, "keep")]


def test_a_later_one_takes_the_place_of_those_before_that_are_not_complete(gang: Gang, notes: Notes) -> None:
    _write(gang, 0, step=10)
    _write(gang, 0, 1, step=20)
    assert notes.taken() == [(0, "keep")]
    _write(gang, 1, step=10)
    assert notes.taken() == []


def _restarted(gang: Gang, notes: Notes, number: int) -> None:
    """Both seats have ended their ranks, and are ready again."""
    assert ("break" in {do for _, do in notes.taken()}) and gang.attempt == number
    _sit(gang, 0, resume={"step": 10})
    _sit(gang, 1)
    assert gang.attempt == number + 1 and notes.taken() == [(0, "start"), (1, "start")]


def test_a_failure_begins_again_only_after_a_new_checkpoint(gang: Gang, notes: Notes) -> None:
    _write(gang, 0, 1)
    notes.taken()
    gang.kept(10, 1)
    gang.ended(gang.seats[1], 1, _raised(1), 2)
    assert notes.orders[-1][1] == "break"
    gang.ended(gang.seats[0], 0, Cause(0, "lost others", "reset"), 2)
    _restarted(gang, notes, 1)
    assert notes.began_from == [None, 10] and "rank 1: ValueError: no" in notes.said[0]
    _write(gang, 0, 1)  # of the step that it goes on from: a loop begins with that
    gang.kept(10, 3)
    notes.taken()
    gang.ended(gang.seats[1], 1, _raised(1), 3)
    assert {(do, what["blame"]) for _, do, what in notes.orders} == {("finish", 1)}, "no progress since"


def test_a_checkpoint_that_is_just_being_kept_is_waited_for(gang: Gang, notes: Notes) -> None:
    _write(gang, 0, 1)
    notes.taken()
    gang.ended(gang.seats[1], 1, _raised(1), 2)
    assert notes.taken() == []
    gang.kept(10, 2.1)
    assert (0, "break") in notes.taken()


def test_a_port_that_was_taken_is_nobodys_fault_a_few_times(gang: Gang, notes: Notes) -> None:
    taken = Cause(1, "port taken", "OSError: [Errno 98] Address already in use")
    for attempt in range(1, MOST_PORTS + 2):
        assert gang.attempt == attempt
        gang.ended(gang.seats[0], 0, Cause(0, "lost others", "Connection refused"), 1)
        gang.ended(gang.seats[1], 1, taken, 1)
        for number in range(2 if attempt <= MOST_PORTS else 0):
            _sit(gang, number)
    assert gang.over and not notes.failed
    assert notes.said == [f"rank 1: {taken.error}: all ranks begin again, with other ports"] * MOST_PORTS


def test_it_begins_again_so_often_and_no_more(notes: Notes) -> None:
    gang = Gang(["a"], 1, notes, restarts=2)
    _sit(gang, 0)
    for number in range(3):
        _write(gang, 0, step=number)
        gang.kept(number, 1)
        notes.taken()
        gang.ended(gang.seats[0], 0, _raised(0), 2)
        if number < 2:
            assert notes.taken() == [(0, "break")]
            _sit(gang, 0)
    assert notes.taken() == [(0, "finish")] and gang.attempt == 3


def test_workers_that_go_use_up_no_restarts(notes: Notes) -> None:
    gang = Gang(["a"], 1, notes, restarts=0)
    _sit(gang, 0)
    for _ in range(5):
        gang.left(gang.seats[0], 1)
        _sit(gang, 0)
    assert gang.attempt == 6 and not notes.failed


def test_a_checkpoint_that_cannot_be_kept_ends_nothing(gang: Gang, notes: Notes) -> None:
    _write(gang, 0, 1)
    gang.not_kept(10, "OSError: No space left on device", 1)
    assert "step 10 is not kept: OSError" in notes.said[0]
    gang.ended(gang.seats[0], 0, None, 2)
    gang.ended(gang.seats[1], 1, None, 2)
    assert notes.taken()[-2:] == [(0, "finish"), (1, "finish")]


def test_checkpoints_that_cannot_be_read_end_it_before_it_begins_anew(notes: Notes) -> None:
    gang = Gang(["a"], 1, notes)
    _sit(gang, 0, fault="the checkpoints in /x can't be read")
    assert notes.failed == ["the checkpoints in /x can't be read"] and notes.taken() == []


def test_a_seat_that_begins_when_all_has_failed_is_let_go(notes: Notes) -> None:
    gang = Gang(["a", "b"], 1, notes)
    _sit(gang, 0, fault="the checkpoints in /x can't be read")
    _sit(gang, 1, fault="the checkpoints in /x can't be read")
    assert notes.taken() == [(1, "finish")] and len(notes.failed) == 1


def test_all_stop_at_one_step_and_begin_again_without_the_worker(gang: Gang, notes: Notes) -> None:
    gang.leaving(gang.seats[1])
    assert notes.taken() == [(0, "notice"), (1, "notice")]
    gang.noticed(gang.seats[0], 7)
    assert notes.taken() == []
    gang.noticed(gang.seats[1], 8)
    assert {(do, what["last"]) for _, do, what in notes.orders} == {("agree", 9)}
    notes.taken()
    gang.ended(gang.seats[0], 0, None, 1, early=True)
    gang.ended(gang.seats[1], 1, None, 1, early=True)
    assert notes.taken() == [(0, "break"), (1, "leave")]
    gang.left(gang.seats[1], 2)
    _sit(gang, 0, resume={"step": 9})
    assert notes.taken() == []
    _sit(gang, 1)
    assert notes.taken() == [(0, "start"), (1, "start")] and notes.began_from == [None, 9]


def test_who_ends_just_before_a_worker_goes_has_ended(gang: Gang, notes: Notes) -> None:
    gang.leaving(gang.seats[1])
    gang.ended(gang.seats[0], 0, None, 1)
    gang.ended(gang.seats[1], 1, None, 1)
    assert {do for _, do in notes.taken()} == {"notice", "finish"}


def test_a_worker_that_is_about_to_go_gets_no_ranks(notes: Notes) -> None:
    gang = Gang(["a", "b"], 1, notes)
    _sit(gang, 0)
    gang.leaving(gang.seats[0])
    assert notes.taken() == [(0, "leave")]
    _sit(gang, 1)
    assert notes.taken() == []
    gang.left(gang.seats[0], 1)
    assert [seat.key for seat in gang.empty] == ["a"]
    _sit(gang, 0)
    assert notes.taken() == [(0, "start"), (1, "start")]


@pytest.fixture
def elastic(notes: Notes) -> Gang:
    """Three seats with two ranks each, of which the first and the last run: for one there was no worker."""
    made = Gang(["a", "b", "c"], 2, notes, at_least=1)
    _sit(made, 0)
    _sit(made, 2)
    made.look(SETTLE)
    assert [(number, what["first"], what["world"]) for number, _, what in notes.orders] == [(0, 0, 4), (2, 2, 4)]
    notes.taken()
    return made


def test_an_elastic_gang_takes_the_workers_that_it_finds(notes: Notes) -> None:
    gang = Gang(["a", "b", "c"], 1, notes, at_least=2)
    notes.free = 1
    gang.look(SETTLE)
    assert len(gang.empty) == 3, "one isn't enough"
    notes.free = 2
    gang.look(2 * SETTLE - 1)
    assert len(gang.empty) == 3, "another one may come"
    gang.look(2 * SETTLE)
    assert [seat.key for seat in gang.empty] == ["a", "b"]
    _sit(gang, 0)
    assert notes.taken() == []
    _sit(gang, 1)
    assert notes.taken() == [(0, "start"), (1, "start")] and gang.empty == []


def test_it_begins_with_all_that_have_come_by_then(notes: Notes) -> None:
    gang = Gang(["a", "b", "c"], 1, notes, at_least=1)
    notes.free = 1
    gang.look(SETTLE)
    assert len(gang.empty) == 1
    gang.have(2)
    assert len(gang.empty) == 2
    gang.have(9)
    assert len(gang.empty) == 3


def test_it_goes_on_with_fewer_when_nobody_takes_a_place(elastic: Gang, notes: Notes) -> None:
    elastic.left(elastic.seats[0], 100)
    assert notes.taken() == [(2, "break")]
    _sit_again(elastic, 2, 101)
    assert len(elastic.empty) == 1, "another one may come"
    elastic.look(100 + SETTLE)
    assert notes.taken() == []
    elastic.look(101 + SETTLE)
    assert [(number, what["first"], what["world"]) for number, _, what in notes.orders] == [(2, 0, 2)]


def test_it_grows_right_after_a_checkpoint(elastic: Gang, notes: Notes) -> None:
    notes.free = 1
    elastic.kept(10, SETTLE + GROW - 1)
    assert notes.taken() == [], "it has just begun"
    notes.free = 0
    elastic.kept(20, SETTLE + GROW)
    assert notes.taken() == [] and elastic.empty == [], "there is none"
    notes.free = 1
    elastic.kept(30, SETTLE + GROW + 1)
    assert notes.taken() == [(0, "break"), (2, "break")] and "1 more worker" in notes.said[-1]
    _sit_again(elastic, 0, 1000)
    _sit_again(elastic, 2, 1000)
    assert [seat.key for seat in elastic.empty] == ["b"]
    _sit(elastic, 1, now=1000)
    assert [(number, what["world"]) for number, _, what in notes.orders] == [(0, 6), (1, 6), (2, 6)]


def test_one_of_fixed_size_neither_makes_do_nor_grows(gang: Gang, notes: Notes) -> None:
    notes.free = 5
    gang.kept(10, 2 * GROW)
    assert notes.taken() == []
    gang.left(gang.seats[1], 2 * GROW)
    _sit_again(gang, 0, 2 * GROW)
    notes.taken()
    gang.look(9 * GROW)
    assert notes.taken() == [] and len(gang.empty) == 1


def test_a_worker_that_comes_too_late_is_sent_away(elastic: Gang, notes: Notes) -> None:
    _sit(elastic, 1, now=50)
    assert notes.taken() == [(1, "leave")]
    elastic.left(elastic.seats[1], 51)
    assert elastic.empty == [] and notes.taken() == []


def test_nobody_waits_for_seats_that_were_never_taken(elastic: Gang, notes: Notes) -> None:
    for seat, ranks in ((elastic.seats[0], (0, 1)), (elastic.seats[2], (2, 3))):
        for rank in ranks:
            elastic.ended(seat, rank, None, 60)
    assert [(number, do, what["seats"]) for number, do, what in notes.orders] == [(0, "finish", 2), (2, "finish", 2)]
    assert notes.without == ["b"]
    elastic.left(elastic.seats[1], 61)
    assert notes.failed == []


def _sit_again(gang: Gang, number: int, now: float) -> None:
    """Its ranks have been ended."""
    seat = gang.seats[number]
    gang.ready(seat, seat.worker, seat.place, now)


def test_before_the_cluster_ends_all_save_and_leave(gang: Gang, notes: Notes) -> None:
    gang.ending()
    gang.ending()
    assert notes.taken() == [(0, "notice"), (1, "notice")] and notes.said == ["The cluster is about to go"]
    gang.noticed(gang.seats[0], 1)
    gang.noticed(gang.seats[1], 2)
    assert notes.taken() == [(0, "agree"), (1, "agree")]
    gang.ended(gang.seats[0], 0, None, 1, early=True)
    gang.ended(gang.seats[1], 1, None, 1, early=True)
    assert notes.taken() == [(0, "leave"), (1, "leave")] and "stopped at the same step" in notes.said[-1]
    for seat in gang.seats:
        gang.left(seat, 2)
    gang.ending()
    assert notes.taken() == [] and len(gang.empty) == 2
    for number in (0, 1):  # it was given more time
        _sit(gang, number, now=3)
    assert notes.taken() == [(0, "start"), (1, "start")]


def test_a_hang_ends_an_attempt_and_counts_as_a_restart(notes: Notes, gang: Gang) -> None:
    hang = Cause(1, "hung", "RunHung: no step")
    gang.written(0, 3, None, True, {})
    gang.kept(3, 0)
    notes.taken()
    gang.hung(hang, 0)
    assert notes.taken() == [(0, "break"), (1, "break")]
    gang.hung(hang, 0)  # once is enough
    for number in (0, 1):
        _sit(gang, number)
    assert notes.said[-1] == "rank 1: RunHung: no step: all ranks begin again (restart 1 of 3)"
    assert gang.attempt == 2 and notes.failed == []
    gang.hung(Cause(None, "hung", "RunHung: none gets on"), 0)
    assert notes.failed == ["RunHung: none gets on"], "it hasn't got on since: no rank can tell more"
