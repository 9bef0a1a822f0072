"""The panel's parts by themselves: what a click or a state makes of them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from jupyter_mlops.client.words import spot_sentences
from jupyter_mlops.core.cluster import ClusterSpec, ClusterState, Counts, GroupState, Problem, Stop
from jupyter_mlops.core.errors import InvalidInput, InvalidItems
from jupyter_mlops.core.idle import Waste
from jupyter_mlops.core.price import Cost
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.core.run import RunState
from jupyter_mlops.core.spot import SpotBreak
from jupyter_mlops.notebook.panel import run_request
from jupyter_mlops.notebook.panel.cluster import ClusterPart
from jupyter_mlops.notebook.panel.runs import CALL, MAP, FormPart, RunRequest, RunsPart


class Asked:
    """Commands that remember what was asked."""

    def __init__(self) -> None:
        self.of: list[tuple[Any, ...]] = []

    def scale(self, *args: Any) -> None:
        self.of.append(("scale", *args))

    def adapt(self, *args: Any) -> None:
        self.of.append(("adapt", *args))

    def let_go(self, *args: Any) -> None:
        self.of.append(("let_go", *args))

    def stop(self, *args: Any) -> None:
        self.of.append(("stop", *args))


#: What the cluster of `state` is to be asked by.
FLIGHTS = "flights.local~0"


def spec(name: str = "flights", **group: Any) -> ClusterSpec:
    profile = Profile(name="p", groups=[Group(**{"workers": 2, "maximum": 8, **group})])
    return ClusterSpec(name=name, owner="me", profile=profile, created=0)


def state(name: str = "flights", **fields: Any) -> ClusterState:
    group = {"name": "default", "cpus": 1, "memory": 10**9, "minimum": 0, "maximum": 8, "adaptive": False, "wanted": 2}
    group |= {"spot_break": None}
    group.update({key: fields.pop(key) for key in list(fields) if key in group})
    given = {"place": "local", "profile": "p", "owner": "me", "phase": "running", "created": 0.0, **fields}
    return ClusterState(name=name, mine=True, groups=[GroupState(**group)], **given)


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def part(asked: Asked) -> ClusterPart:
    return ClusterPart(asked)


def test_showing_a_state_asks_for_nothing(part: ClusterPart, asked: Asked) -> None:
    part.show(state(wanted=6), spec())
    part.show(state("small", wanted=1, maximum=2), spec("small", workers=1, maximum=2))
    part.show(state("big", minimum=10, maximum=40, wanted=30), spec("big", minimum=10, workers=30, maximum=40))
    assert (part.workers.min, part.workers.value, part.workers.max) == (10, 30, 40)
    part.show(state(adaptive=True, minimum=1, maximum=4, wanted=3), spec())
    assert (part.minimum.value, part.maximum.value) == (1, 4)
    assert part.workers.disabled
    assert asked.of == []


def test_it_says_why_a_spot_group_is_on_demand(part: ClusterPart) -> None:
    day = time.strftime("%b %H:%M", time.localtime(1e9))
    part.show(state(spot_break=SpotBreak(why="due", since=1e9)), spec())
    assert f"On demand since {time.localtime(1e9).tm_mday} {day}, so that a map isn’t late" in part.numbers.value


def test_a_day_is_said_where_it_is_another_one() -> None:
    known, noon = SpotBreak(why="none came", since=1e9, until=1e9 + 1800), time.localtime(1e9)
    since, until = (time.strftime("%H:%M", time.localtime(at)) for at in (1e9, 1e9 + 1800))
    [today] = spot_sentences(state(spot_break=known), now=1e9)
    assert today.startswith(f"No spot machine since {since}; on demand until ") and today.endswith(until)
    [later] = spot_sentences(state(spot_break=known), now=1e9 + 40 * 3600)
    assert f"since {noon.tm_mday} {time.strftime('%b', noon)} {since}; on demand until " in later


def test_hiding_one_control_hides_no_other(part: ClusterPart) -> None:
    part.show(state(), spec())
    hidden = [part.group, part.bounds, part.question]
    assert [widget.layout.display for widget in hidden] == ["none"] * 3
    assert not any(widget.layout.display for widget in (part.workers, part.adaptive, part.stop))


def test_a_typed_number_scales_and_is_not_moved_back(part: ClusterPart, asked: Asked) -> None:
    part.show(state(), spec())
    part.workers.value = 5
    assert asked.of == [("scale", FLIGHTS, 5, "default")]
    part.show(state(wanted=2), spec())
    assert part.workers.value == 5, "a state from before the command moved the number back"
    part.show(state(wanted=5), spec())
    part.release("default")
    assert part.workers.value == 5
    part.workers.value = 0
    part.show(state(wanted=1), spec())
    part.release("default")
    assert part.workers.value == 1, "the cluster kept a worker"


def test_a_refused_move_goes_back(part: ClusterPart) -> None:
    part.show(state(), spec())
    part.workers.value = 5
    part.release("default")
    assert part.workers.value == 2


def test_the_adaptive_switch(part: ClusterPart, asked: Asked) -> None:
    part.show(state(), spec())
    part.adaptive.value = True
    part.release("default")
    part.show(state(adaptive=True), spec())
    part.minimum.value = 1
    part.maximum.value = 4
    part.release("default")
    part.show(state(adaptive=True, minimum=1, maximum=4), spec())
    assert (part.minimum.min, part.maximum.max) == (0, 8), "narrower bounds must not narrow what can be chosen"
    part.adaptive.value = False
    assert asked.of == [
        ("adapt", FLIGHTS, 0, 8, "default"),
        ("adapt", FLIGHTS, 1, 8, "default"),
        ("adapt", FLIGHTS, 1, 4, "default"),
        ("scale", FLIGHTS, 2, "default"),
    ]


def test_idle_workers_are_told_and_let_go_by_a_click(part: ClusterPart, asked: Asked) -> None:
    idle = Waste(
        kind="idle", group="default", workers=7, of=40, seconds=720, amount=0.84, per_hour=4.2, spare=5, names=["a"]
    )
    part.show(state(waste=[idle], commands=["scale"]), spec())
    assert "7 of 40 workers idle for 12 min: $0.84 so far, $4.20/h" in part.numbers.value
    assert part.let_go.layout.display == "none", "its controller is older"
    part.show(state(waste=[idle], commands=["scale", "let_go"]), spec())
    assert part.let_go.description == "Let 5 go" and not part.let_go.layout.display
    part.let_go.click()
    assert asked.of == [("let_go", FLIGHTS, 5, "default")]


def test_stopping_asks_first_and_says_what_would_be_lost(part: ClusterPart, asked: Asked) -> None:
    part.show(state(runs=["0" * 12]), spec())
    part.stop.click()
    assert asked.of == []
    assert "1 run would be lost" in part.question.children[0].value
    part.keep.click()
    assert part.question.layout.display == "none"
    part.stop.click()
    part.confirm.click()
    assert asked.of == [("stop", FLIGHTS)]


def test_numbers_say_what_is_unknown_and_escape_what_others_wrote(part: ClusterPart) -> None:
    problem = Problem(what="<script>", why="because", todo="Wait.")
    part.show(state(problem=problem, counts=Counts(idle=1, busy=1), stop=Stop(at=900, cause="idle")), spec(), now=0)
    text = part.numbers.value
    assert "unknown: no price is set" in text
    assert "2 workers, 1 busy" in text
    assert "in 15 min unless used" in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_an_ended_cluster_has_no_controls(part: ClusterPart) -> None:
    part.show(state(phase="ended", cause="idle", cost=Cost(amount=0.5, per_hour=0)), spec())
    assert part.stop.layout.display == "none"
    assert "nobody used it" in part.numbers.value
    assert "$0.50 so far" in part.numbers.value


def run(name: str, **fields: Any) -> RunState:
    given = {"name": "clean", "kind": "map", "cluster": "flights", "owner": "me", "phase": "running", "created": 0.0}
    return RunState(id=name * 12, **{**given, **fields})


def test_a_line_for_each_run() -> None:
    cancelled: list[str] = []
    part = RunsPart(cancelled.append)
    part.show([run("b", total=400, done=100, left=12.0), run("a")], now=5)
    assert part.lines["b" * 12].bar.value == 0.25
    assert "100 of 400, 10 s left" in part.lines["b" * 12].text.value
    part.lines["b" * 12].cancel.click()
    assert cancelled == ["b" * 12]
    gone = part.lines["a" * 12]
    part.show([run("b", phase="failed", error="Traceback\nValueError: 3 < 4", ended=9.0)], now=9)
    assert "ValueError: 3 &lt; 4" in part.lines["b" * 12].text.value
    assert part.lines["b" * 12].cancel.layout.display == "none"
    assert gone.box.comm is None, "a line that left must let go of its widgets"
    sweep = run("c", kind="sweep", total=100, done=30, options={"known": 20}, metrics={"best": 0.98125}, left=12.0)
    part.show([sweep], now=9)
    assert "50 of 100 trials · best 0.9812, 10 s left" in part.lines["c" * 12].text.value
    assert part.lines["c" * 12].bar.value == 0.5


@pytest.mark.parametrize(
    ("fields", "style", "words"),
    [
        ({"phase": "done", "done": 3}, "success", "done in"),
        ({"phase": "done", "done": 2, "failed": 1}, "warning", "1 item failed"),
        ({"phase": "running", "done": 1, "failed": 1}, "warning", "1 item failed"),
        ({"phase": "failed", "failed": 3}, "danger", "3 items failed"),
        ({"phase": "cancelled"}, "warning", "cancelled"),
        ({"phase": "running", "done": 1}, "", "1 of 3"),
    ],
)
def test_a_bar_is_green_only_where_nothing_failed(fields: dict[str, Any], style: str, words: str) -> None:
    part = RunsPart(lambda _: None)
    part.show([run("a", total=3, **fields)], now=5)
    line = part.lines["a" * 12]
    assert (line.bar.bar_style, line.bar.value) == (style, (fields.get("done", 0) + fields.get("failed", 0)) / 3)
    assert words in line.text.value


def test_the_form_hands_over_what_it_says() -> None:
    requests: list[RunRequest] = []
    form = FormPart(requests.append)
    form.show_functions(["clean", "train"])
    form.function.value, form.given.value = " clean ", "range(10)"
    form.send.click()
    form.kind.value = CALL
    form.function.value, form.given.value, form.result.value = "train", "X, depth=3", "model"
    form.send.click()
    assert requests == [
        RunRequest(MAP, "clean", "range(10)", "result"),
        RunRequest(CALL, "train", "X, depth=3", "model"),
    ]
    assert form.send.disabled, "a second click must not send a second run"


@pytest.mark.parametrize(
    ("asked", "error", "text"),
    [
        (RunRequest(MAP, "nothing", "range(3)", "r"), InvalidInput, "name 'nothing' is not defined"),
        (RunRequest(MAP, "", "range(3)", "r"), InvalidInput, "The function of the run is missing"),
        (RunRequest(MAP, "number", "range(3)", "r"), InvalidInput, "can't be called"),
        (RunRequest(MAP, "f", "number", "r"), InvalidItems, "has no items"),
        (RunRequest(MAP, "f", "range(", "r"), InvalidInput, "SyntaxError"),
        (RunRequest(MAP, "f", "range(3)", "not a name"), InvalidInput, "not a name for a variable"),
        (RunRequest(CALL, "f", "1, depth", "r"), InvalidInput, "The arguments can't be evaluated"),
    ],
)
def test_a_request_that_can_not_be_met(asked: RunRequest, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text.replace("(", r"\(")):
        run_request.prepare(asked, {"f": len, "number": 3}, "flights")
