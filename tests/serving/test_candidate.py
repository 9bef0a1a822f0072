"""A version that is tried beside the one that serves: who gets it, and what becomes of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.candidate import CandidateState
from jupyter_mlops.core.errors import Conflict, InvalidInput, InvalidSpec, StartFailed
from jupyter_mlops.home.services import service_folder
from jupyter_mlops.serving import deeds, splits
from jupyter_mlops.serving.arm import Chooser

from ..models.conftest import people
from .conftest import Caller, plain, until

#: Callers at the same time, and seconds between two requests of each.
CALLERS, PAUSE = 4, 0.005


def answering(how: Path, changes: bool) -> Any:
    """A model that answers 1 for a number above 0, else 0, and something else once `how` says so."""

    def predict(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import time

        word = how.read_text() if changes else ""
        answers = (X[:, 0] > 0).astype(float)
        if word == "fails":
            raise RuntimeError("out of order")
        if word == "slow":
            time.sleep(0.05)
        if word == "nan":
            answers[:] = np.nan
        if word == "one":
            answers[:] = 1.0
        if word == "wrong":
            answers = (X[:, 1] > 0).astype(float)  # as often 1 as before
        return answers

    return predict


@pytest.fixture(scope="module")
def how(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the second version does; a home folder with three of them, of which the third can't be served."""
    path = tmp_path_factory.mktemp("candidate")
    word = path / "how"
    word.write_text("")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_MLOPS_HOME", str(path / "home"))
        for changes in (False, True):
            mlops.save_model(answering(word, changes), "half", valid=(X, (X[:, 0] > 0).astype(float)))
        mlops.save_model(len, "half")
        yield word


@pytest.fixture
def service(how: Path) -> Iterator[mlops.Service]:
    """The first version, which logs all that it is asked."""
    how.write_text("")
    made = mlops.deploy("half@1", name="half", log=1.0, log_rows=1_000_000, replicas=1, private=[])
    yield made
    made.stop()
    asyncio.run(deeds.forget("half"))


def candidate(service: mlops.Service) -> CandidateState:
    found = service.candidate
    assert found is not None
    return found


class Traffic:
    """Callers that ask again and again; what they heard: status and version."""

    def __init__(self) -> None:
        self.heard: Counter[tuple[int, str]] = Counter()
        self.ids: dict[str, float] = {}


@contextmanager
def traffic(service: mlops.Service) -> Iterator[Traffic]:
    """Callers with a pause between two requests: without one a trial is decided no sooner, and takes more CPU."""
    told, over, lock = Traffic(), threading.Event(), threading.Lock()

    def ask(seed: int) -> None:
        rng = np.random.default_rng(seed)
        with Caller(service) as call:
            while not over.wait(PAUSE):
                row = rng.normal(size=2).tolist()
                answer = call("POST", "/predict", [row])
                with lock:
                    told.heard[answer.status, str(answer.told.get("model_version", ""))] += 1
                    if "id" in answer.told:
                        told.ids[answer.told["id"]] = float(row[0] > 0)

    threads = [threading.Thread(target=ask, args=[seed]) for seed in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        over.set()
        for thread in threads:
            thread.join()


def version_of(call: Caller, key: str) -> str:
    answer = call("POST", "/predict", [[1.0, 1.0]], **{"X-Mlops-Key": key})
    assert answer.status == 200
    return str(answer.told["model_version"])


def test_each_caller_gets_the_same_version_and_a_larger_share_more_of_them(service: mlops.Service) -> None:
    assert mlops.deploy("half@2", ab=0.2).state.version == 1
    keys = [f"customer {number}" for number in range(400)]
    spec = service_folder("half").spec()
    assert spec.candidate is not None
    chooses = Chooser(spec.candidate)
    with Caller(service) as call:
        first = {key for key in keys if version_of(call, key) == "2"}
        assert first == {key for key in keys if chooses(key)} == {key for key in keys if version_of(call, key) == "2"}
        assert abs(len(first) / len(keys) - 0.2) < 0.07
        service.share(0.5)
        until(lambda: candidate(service).share == 0.5)
        second = {key for key in keys if version_of(call, key) == "2"}
        assert first < second and abs(len(second) / len(keys) - 0.5) < 0.1
        heard = Counter(str(call("POST", "/predict", [[1.0, 1.0]]).told["model_version"]) for _ in range(200))
        assert set(heard) == {"1", "2"}, "without a key it is by the request"
        assert "A/B test 50 %" in repr(service) and "half@2 beside half@1" in repr(service.compare())


def test_who_asks_a_version_by_its_number_gets_that_and_no_other(service: mlops.Service) -> None:
    mlops.deploy("half@2", canary=0.0001)
    with Caller(service) as call:
        for version, _ in itertools.product(("1", "2"), range(5)):
            told = call("POST", f"/v2/models/half/versions/{version}/predict", [[1.0, 1.0]]).told
            assert told["model_version"] == version
            assert call("GET", f"/v2/models/half/versions/{version}/ready").told["ready"] is True
        for version in ("3", "9", "one"):
            assert call("POST", f"/v2/models/half/versions/{version}/predict", [[1.0, 1.0]]).status == 404
        assert "1 and 2 are" in call("GET", "/v2/models/half/versions/9").error
        service.rollback()
        assert call("POST", "/v2/models/half/versions/2/predict", [[1.0, 1.0]]).status == 404
        assert call("GET", "/v2/models/half/versions/1").told["versions"] == ["1"]


def test_a_canary_that_is_as_good_serves_in_the_end_and_no_request_is_lost(service: mlops.Service) -> None:
    before = [each.pid for each in service.state.replicas]
    with traffic(service) as told:
        mlops.deploy("half@2", canary=0.4, steps=[0.4, 0.6], why="newer")
        until(lambda: service.state.version == 2)
        seen = told.heard[200, "2"]
        until(lambda: told.heard[200, "2"] > seen + 50)
    assert set(told.heard) == {(200, "1"), (200, "2")}, told.heard
    state = service.state
    assert (state.candidate, state.previous, state.problem) == (None, 1, None)
    assert [each.version for each in state.replicas if each.phase == "ready"] == [2]
    told_ = [(each.verb, each.actor.how, each.after) for each in mlops.trail("half")[-3:]]
    assert told_[0] == ("deployed", "other", "half@2 as canary, 40 %")
    assert told_[1:] == [("went on", "router", "60 %"), ("went on", "router", "half@2 serves")]
    with pytest.raises(Conflict, match="No version is tried beside half@2"):
        service.promote()
    service.rollback(why="it was better before")
    assert (service.state.version, service.state.previous) == (1, 2)
    assert [each.pid for each in service.state.replicas if each.version == 1] == before, "they were kept"
    assert mlops.trail("half")[-1].verb == "rolled back"


def test_what_a_version_was_asked_last_is_its_own(service: mlops.Service) -> None:
    for version in (1, 2, 1):
        with Caller(service) as call:
            asked = [call("POST", "/predict", [[1.0, 1.0]]).told["id"] for _ in range(20)]
        mlops.deploy(f"half@{3 - version}")

        def logged(asked: list[str] = asked) -> dict[str, int]:
            rows = service.requests().to_dict("records")
            return {row["request.id"]: row["request.version"] for row in rows if row["request.id"] in asked}

        until(lambda logged=logged, asked=asked: len(logged()) == len(asked))
        assert set(logged().values()) == {version}


@pytest.mark.parametrize(
    ("word", "name"), [("fails", "errors"), ("slow", "latency"), ("nan", "missing"), ("one", "answers")]
)
def test_a_canary_that_harms_goes_back_by_itself(service: mlops.Service, how: Path, word: str, name: str) -> None:
    mlops.deploy("half@2", canary=0.3)
    with traffic(service) as told:
        until(lambda: told.heard[200, "2"] > 20)
        how.write_text(word)
        until(lambda: candidate(service).phase == "back")
        seen = Counter(told.heard)
        until(lambda: told.heard[200, "1"] > seen[200, "1"] + 100)
        assert told.heard[200, "2"] <= seen[200, "2"] + CALLERS, "what it had been asked before"
    found = candidate(service)
    assert repr(found).startswith("<version 2: taken back from 30 %: "), "as people read it in a notebook"
    assert found.problem is not None and found.share == 0 and found.problem.what in repr(service.compare())
    assert name in found.problem.what or (name == "answers" and "constant" in found.problem.what)
    assert (service.state.version, service.state.problem) == (1, None)
    assert mlops.trail("half")[-1].actor.how == "router"
    last = mlops.trail("half")[-1]
    assert (last.verb, last.before) == ("rolled back", "half@2 as canary, 30 %")
    assert last.why and last.why in found.problem.what, "the trail has the figures"
    assert repr(mlops.trail("half")).endswith(f"took half@2 back in half: {last.why}")
    assert all(each.needs is None for each in found.verdicts), "nothing is decided any more"
    until(lambda: [each.version for each in service.state.replicas] == [1])
    assert service_folder("half").spec().candidate is None
    if word != "fails":
        until(lambda: {row["request.version"] for row in service.requests().to_dict("records")} == {1, 2})


def test_labels_that_say_it_is_worse_take_a_canary_back(service: mlops.Service, how: Path) -> None:
    how.write_text("")
    mlops.deploy("half@2", canary=0.5, steps=[0.5, 0.6, 0.7, 0.8, 0.9])
    service.pause()
    how.write_text("wrong")
    with traffic(service) as told:
        until(lambda: told.heard[200, "2"] > 200 and told.heard[200, "1"] > 200)

        def labelled() -> bool:
            service.label(dict(told.ids))
            return candidate(service).phase == "back"

        until(labelled)
    problem = candidate(service).problem
    assert problem is not None and problem.what.startswith("half@2 was taken back: accuracy 0.")


def label_old_rows(service: mlops.Service, ids: dict[str, float]) -> None:
    """Labels of rows that were answered three days ago: who labels this service takes as long."""
    service.label({id: float(value) for id, value in ids.items()})
    with sqlite3.connect(service_folder("half").requests.path / "rows.sqlite") as db:
        db.execute("UPDATE rows SET time = time - 3 * 86400")
    db.close()


def test_a_canary_does_not_wait_for_labels_of_days_which_tell_later_that_it_is_worse(
    service: mlops.Service, how: Path
) -> None:
    with traffic(service) as before:
        until(lambda: len(before.ids) > 100)
    until(lambda: len(service.requests()) > 50)
    label_old_rows(service, before.ids)
    mlops.deploy("half@2", canary=0.4, steps=[0.4])
    how.write_text("wrong")
    service.pause()
    late = "accuracy: no labels yet; labels take about 3 days, not waited for"
    with traffic(service) as told:
        until(lambda: candidate(service).words == f"canary 40 %, paused: decided: no worse; {late}")
        assert late.partition(": ")[2] in repr(service.compare())
        service.resume()
        until(lambda: service.state.version == 2)
    assert late in mlops.trail("half")[-1].why, "and so does the trail"
    assert service.state.alarm is None

    def warned() -> bool:
        service.label(dict(told.ids))
        return service.state.alarm is not None

    until(warned)
    alarm = service.state.alarm
    assert alarm is not None and alarm.what == "half@2 is worse than half@1, in whose place it is"
    assert alarm.why.startswith("accuracy 0.") and "svc.rollback() has half@1 serve again" in alarm.todo
    how.write_text("")
    service.rollback()
    until(lambda: service.state.alarm is None)


def test_a_paused_canary_stays_and_one_without_requests_too(service: mlops.Service) -> None:
    mlops.deploy("half@2", canary=0.5, steps=[0.5])
    told = service.pause(why="lunch")
    assert told is not None and told.paused and candidate(service).paused, "it is so at once"
    with traffic(service):
        until(lambda: "decided: no worse" in candidate(service).words)
    assert candidate(service).phase == "paused" and service.state.version == 1
    service.resume()
    until(lambda: service.state.version == 2)
    mlops.deploy("half@1", canary=0.5, steps=[0.5])
    assert candidate(service).words == "canary 50 %: no requests yet"
    service.promote(why="no time")
    assert (service.state.version, service.state.candidate) == (1, None)


def test_a_version_that_can_not_be_started_leaves_all_as_it_was(service: mlops.Service) -> None:
    before = service.state
    with traffic(service) as told:
        with pytest.raises(StartFailed, match=r"half@3 can't be served.*half@1 serves on"):
            mlops.deploy("half@3", canary=True)
        mlops.deploy("half@2", ab=0.5)
        with pytest.raises(StartFailed, match="half@3 can't be served"):
            mlops.deploy("half@3", canary=True)
        assert candidate(service).version == 2, "that one goes on"
    assert {status for status, _ in told.heard} == {200}
    assert [each.pid for each in service.state.replicas if each.version == 1] == [each.pid for each in before.replicas]


def test_who_has_not_seen_what_is_wanted_now_changes_nothing(service: mlops.Service) -> None:
    mlops.deploy("half@2", ab=0.5)
    outdated = service.state.wanted
    service.share(0.3)
    for ask in (
        splits.change_split("half", share=0.9, expected=outdated),
        splits.promote("half", expected=outdated),
        splits.roll_back("half", expected=outdated),
    ):
        with pytest.raises(Conflict, match="somebody has wanted something else since"):
            asyncio.run(ask)
    until(lambda: candidate(service).share == 0.3)

    def promote(_: int) -> str:
        try:
            service.promote()
        except Conflict as error:
            return error.what
        return "promoted"

    with ThreadPoolExecutor(2) as two:
        told = sorted(two.map(promote, range(2)))
    assert told == ["No version is tried beside half@2", "promoted"] and service.state.version == 2


def test_what_is_private_of_one_is_logged_of_neither_while_both_answer(how: Path) -> None:
    for seed in (0, 7):
        mlops.save_model(plain(seed), "churn", valid=people(1))
    rows = people(1)[0].iloc[:1].to_dict("records")
    service = mlops.deploy("churn@1", log=1.0, private=["age"])
    try:
        mlops.deploy("churn@2", ab=0.5, private=["income"])
        with Caller(service) as call:
            heard = Counter(call("POST", "/predict", rows).told["model_version"] for _ in range(60))
        assert set(heard) == {"1", "2"}
        until(lambda: len(service.requests()) >= 60)
        table = service.requests()
        assert set(table["request.version"]) == {1, 2}
        assert not {"age", "income"} & set(table.columns), "neither version's private feature is there"
        service.promote()
        assert service_folder("churn").spec().private == ["income"]
    finally:
        service.stop()


def test_a_shadow_answers_nobody_and_is_compared(service: mlops.Service, how: Path) -> None:
    mlops.deploy("half@2", shadow=True)
    how.write_text("wrong")
    with traffic(service) as told:
        until(lambda: candidate(service).requests > 200)
    assert set(told.heard) == {(200, "1")}
    with pytest.raises(InvalidSpec, match="half@2 as shadow, 100 %, stays at its share anyway"):
        service.pause()
    until(lambda: any(each.name == "agreement" for each in candidate(service).verdicts))
    agreement = next(each for each in candidate(service).verdicts if each.name == "agreement")
    assert agreement.candidate is not None and 0.3 < agreement.candidate < 0.7
    with Caller(service) as call:
        assert call("POST", "/v2/models/half/versions/2/predict", [[1.0, 1.0]]).status == 404
    until(lambda: len(service.requests()) > 0)
    assert set(service.requests()["request.version"]) == {1}, "its answers were nobody's"
    how.write_text("fails")
    with traffic(service) as told:
        until(lambda: candidate(service).errors > 50)
    assert set(told.heard) == {(200, "1")} and candidate(service).phase == "trying"
    service.promote()
    how.write_text("")
    assert service.state.version == 2


def test_a_router_that_was_killed_comes_back_with_the_same_split(service: mlops.Service, how: Path) -> None:
    mlops.deploy("half@2", ab=0.3)
    keys = [f"customer {number}" for number in range(100)]
    with Caller(service) as call:
        before = [version_of(call, key) for key in keys]
    path = how.parent / "home" / "services" / "half"
    kept = service_folder("half").evidence
    until(lambda: (found := kept()) is not None and found.candidate.requests >= before.count("2"))
    os.kill(json.loads((path / "router.json").read_text())["process"]["pid"], signal.SIGKILL)
    until(lambda: service.state.phase == "dead")
    mlops.deploy("half@1", name="half")
    until(lambda: service.state.candidate is not None and candidate(service).phase == "trying")
    with Caller(service) as call:
        assert [version_of(call, key) for key in keys] == before
    assert candidate(service).requests >= before.count("2"), "what is known of it is kept"


def test_a_disk_that_refuses_holds_up_no_answer(service: mlops.Service, how: Path) -> None:
    (how.parent / "home" / "services" / "half" / "evidence.json").unlink(missing_ok=True)
    (how.parent / "home" / "services" / "half" / "evidence.json").mkdir()
    try:
        mlops.deploy("half@2", ab=0.5)
        with traffic(service) as told:
            until(lambda: any("can't be written" in line for line in service.logs()))
            seen = told.heard.total()
            until(lambda: told.heard.total() > seen + 50)
        assert {status for status, _ in told.heard} == {200}
        service.promote()
    finally:
        (how.parent / "home" / "services" / "half" / "evidence.json").rmdir()


def test_a_candidate_whose_replica_is_killed_costs_no_answer(service: mlops.Service) -> None:
    mlops.deploy("half@2", ab=0.5)
    with traffic(service) as told:
        until(lambda: told.heard[200, "2"] > 20)
        (victim,) = [each.pid for each in service.state.replicas if each.version == 2]
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        until(lambda: {each.pid for each in service.state.replicas if each.version == 2} - {victim, None})
        seen = told.heard[200, "2"]
        until(lambda: told.heard[200, "2"] > seen + 20)
    assert {status for status, _ in told.heard} == {200}, told.heard


def test_on_the_command_line(service: mlops.Service, capsys: pytest.CaptureFixture[str]) -> None:
    def say(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments))
        written = capsys.readouterr()
        return code, written.out + written.err

    assert say("services", "promote", "half")[0] == 1
    code, text = say("deploy", "half@2", "--canary", "0.1", "--why", "try it")
    assert code == 0 and "half@2: canary 10 %" in text
    assert say("services", "share", "half", "2") == (2, "This split isn't valid: share must be 1 at most (got '2').\n")
    code, text = say("services", "share", "half", "0.25")
    assert code == 0 and "half@2: canary 25 %, paused" in text, "what it is now, and not what it was"
    assert (candidate(service).share, candidate(service).phase) == (0.25, "paused")
    assert say("services", "resume", "half")[0] == 0 and say("services", "pause", "half")[0] == 0
    code, text = say("services", "compare", "half")
    assert code == 0 and "half@2 beside half@1: canary 25 %" in text and "errors" in text
    assert say("services", "rollback", "half", "--why", "enough")[0] == 0
    assert candidate(service).phase == "back"
    assert say("deploy", "half@2", "--canary", "--shadow")[0] == 2
    last = mlops.trail("half")[-1]
    assert (last.verb, last.actor.how, last.why) == ("rolled back", "cli", "enough")


def test_what_can_not_be_asked_is_said(service: mlops.Service) -> None:
    with pytest.raises(Conflict, match="half@1 can't be tried beside itself"):
        mlops.deploy("half@1", canary=True)
    with pytest.raises(InvalidSpec, match="steps must rise"):
        mlops.deploy("half@2", canary=True, steps=[0.5, 0.1])
    with pytest.raises(InvalidSpec, match="Only a canary has steps"):
        mlops.deploy("half@2", ab=True, steps=[0.5])
    with pytest.raises(InvalidSpec, match="replicas can't be changed now"):
        mlops.deploy("half@2", canary=True, replicas=2)
    with pytest.raises(InvalidInput, match="tried in one way, not as canary and ab"):
        mlops.deploy("half@2", canary=True, ab=True)
    with pytest.raises(InvalidSpec, match="share must be 1 at most"):
        service.share(7)
    with pytest.raises(mlops.errors.UnknownService):
        mlops.deploy("half@2", name="none", canary=True)


def test_what_was_taken_back_is_news_until_the_next_deployment(service: mlops.Service) -> None:
    mlops.deploy("half@2", shadow=True)
    service.rollback()
    assert candidate(service).phase == "back" and "taken back" in repr(service)
    mlops.deploy("half@2")
    assert service.state.candidate is None
    service.rollback()
    assert service.state.version == 1 and service.state.candidate is None
