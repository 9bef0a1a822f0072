"""A service's life: another version under load, replicas and routers that die, versions that aren't what they were."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import (
    Conflict,
    InvalidSpec,
    StartFailed,
    Unavailable,
    UnknownModel,
    UnknownService,
    UnknownVersion,
)

from ..runs.cluster import is_gone
from .conftest import ROW, Caller, load, numbers, plain, until


def test_another_version_takes_over_and_no_request_is_lost(service: mlops.Service) -> None:
    address = service.address
    with load(service) as heard:
        until(lambda: heard[200, "1"] > 20)
        for number in (2, 1):
            assert mlops.deploy(f"churn@{number}").state.version == number
            seen = heard[200, str(number)]
            until(lambda number=number, seen=seen: heard[200, str(number)] > seen + 20)
    assert set(heard) == {(200, "1"), (200, "2")}, heard
    ready = [each.version for each in service.state.replicas if each.phase == "ready"]
    assert service.address == address and ready == [1, 1], "what isn't asked for stays"


def pids(service: mlops.Service, version: int) -> dict[str, list[int | None]]:
    """The processes of a version, by their phases."""
    found: dict[str, list[int | None]] = {}
    for each in service.state.replicas:
        if each.version == version:
            found.setdefault(each.phase, []).append(each.pid)
    return found


def test_to_go_back_to_the_version_before_takes_less_than_a_second_and_loses_nothing(home: Path) -> None:
    service = mlops.deploy("churn@1", name="back", replicas=2)
    try:
        first = pids(service, 1)["ready"]
        mlops.deploy("churn@2", name="back")
        until(lambda: pids(service, 1) == {"standby": first})
        second, took = pids(service, 2)["ready"], list[float]()
        with load(service) as heard:
            until(lambda: heard[200, "2"] > 20)
            for version in (1, 2, 1, 2, 1):
                seen, began = heard[200, str(version)], time.monotonic()
                if version == 1:
                    service.rollback()
                else:
                    assert main(["services", "rollback", "back"]) == 0
                until(lambda version=version, seen=seen: heard[200, str(version)] > seen)
                took.append(time.monotonic() - began)
                until(lambda version=version: pids(service, version) == {"ready": first if version == 1 else second})
        assert set(heard) == {(200, "1"), (200, "2")}, heard
        assert min(took) < 1, "no process was started for it; a machine that stands still in between may take longer"
        assert pids(service, 2) == {"standby": second}
        mlops.deploy("churn@2", name="back", replicas=1)
        until(lambda: pids(service, 2) == {"ready": second[:1]} or pids(service, 2) == {"ready": second[1:]})
        (stays,) = pids(service, 2)["ready"]
        mlops.deploy("churn@2", name="back", replicas=2, connections=50)
        ready = pids(service, 2)["ready"]
        assert len(ready) == 2 and stays in ready and pids(service, 1) == {"standby": first}, "only one was started"
    finally:
        service.stop()
    assert all(is_gone(pid) for pid in [*first, *second] if pid is not None), "a stop keeps nothing"


def test_what_is_kept_goes_when_it_is_broken_or_memory_is_needed_and_one_can_go_back_all_the_same(home: Path) -> None:
    versions = [mlops.save_model(plain(seed), "kept", valid=numbers(1)) for seed in (0, 7, 3)]
    (versions[2].path / "model.pkl").write_bytes(b"")
    service = mlops.deploy("kept@1", patience="20 s")  # for which one that stands still is waited for
    try:
        for what in ("killed", "stands still", "another version comes"):
            (first,) = pids(service, 1)["ready"]
            mlops.deploy("kept@2")
            assert first is not None and pids(service, 1)["standby"] == [first]
            if what == "killed":
                os.kill(first, signal.SIGKILL)
                until(lambda: not pids(service, 1))
            elif what == "stands still":
                os.kill(first, signal.SIGSTOP)
            else:
                with pytest.raises(StartFailed, match="isn't what was saved"):
                    mlops.deploy("kept@3")
            service.rollback()
            (again,) = pids(service, 1)["ready"]
            assert again != first and service.predict(ROW).tolist() == ["left"], what
            until(lambda first=first: is_gone(first))
    finally:
        service.stop()


def test_a_replica_that_dies_under_load_is_replaced_and_no_request_is_lost(service: mlops.Service) -> None:
    with load(service) as heard:
        until(lambda: heard.total() > 20)
        victim = pids(service, 1)["ready"][0]
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in pids(service, 1)["ready"])
        until(lambda: len(pids(service, 1)["ready"]) == 2)
    assert set(heard) == {(200, "1")}, heard
    assert any("is gone; another takes its place" in line for line in service.logs())


def test_a_version_that_has_changed_by_a_byte_is_not_served(home: Path, service: mlops.Service) -> None:
    version = mlops.save_model(plain(3), "churn", valid=numbers(1))
    path = version.path / "model.pkl"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(
        StartFailed, match=r"churn@3 isn't what was saved: artifact/model.pkl has changed.*churn@1 serves"
    ):
        mlops.deploy(version, replicas=2)
    state = service.state
    assert (state.phase, state.version, state.coming) == ("ready", 1, 0) and "churn@3" in repr(service)
    assert service.predict(ROW).tolist() == ["left"]
    with pytest.raises(StartFailed, match="churn@3 isn't what was saved"):
        mlops.deploy("churn@3", name="other")
    assert "other" not in [each.name for each in mlops.services(all=True)], "nothing is left of what never was"
    told = [(each.verb, each.object, each.service, each.after) for each in mlops.trail("churn")[-2:]]
    assert told == [("deployed", "churn@3", "other", "churn@3"), ("failed", "churn@3", "other", "")]


def test_a_version_that_does_not_give_its_examples_answer_is_not_served(home: Path, tmp_path: Path) -> None:
    number = tmp_path / "number"
    number.write_text("1")
    path = str(number)
    mlops.save_model(lambda X: np.full(len(X), float(Path(path).read_text())), "reads", example=np.ones((3, 2)))
    number.write_text("2")
    with pytest.raises(
        StartFailed, match=r"reads@1 doesn't answer its example as it did: row 0 gives 2\.0, and gave 1\.0"
    ):
        mlops.deploy("reads@1")
    with pytest.raises(StartFailed, match="blind@1 can't be served: it was saved without rows"):
        mlops.deploy("blind@newest")


def test_an_answer_that_depends_on_the_rows_beside_it_is_not_mixed_with_those_of_others(home: Path) -> None:
    """And a model that fails for some rows fails for these only; one that ends its process ends no service."""

    def ranks(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if (X == 13).any():
            raise RuntimeError("no thirteens")
        if (X == 99).any():
            os._exit(3)
        return X[:, 0].argsort().argsort().astype(float)

    mlops.save_model(ranks, "ranks", example=np.array([[3.0], [1.0], [2.0]]))
    service = mlops.deploy("ranks@1", replicas=2)
    try:
        with ThreadPoolExecutor(8) as askers:
            asked = [askers.submit(service.predict, [[5.0], [4.0]]) for _ in range(8)]
            with pytest.raises(mlops.errors.RunFailed, match="ranks@1 failed: RuntimeError: no thirteens"):
                service.predict([[13.0]])
            assert [each.result().tolist() for each in asked] == [[1.0, 0.0]] * 8
        with pytest.raises(Unavailable, match="two replicas were lost"):
            service.predict([[99.0]])

        def answers() -> bool:
            with suppress(Unavailable):  # "Try again": a new one may take long to start
                return bool(service.predict([[7.0]]).tolist() == [0.0])
            return False

        until(answers)
    finally:
        service.stop()


def test_a_service_outlives_who_made_it_and_one_whose_router_died_says_so(home: Path) -> None:
    code = "import jupyter_mlops as mlops; print(mlops.deploy('churn', name='long', replicas=2).address)"
    address = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    service = mlops.service("long")
    assert service.address == address and service.predict(ROW).tolist() == ["left"]
    token, billing = service.token(), service.token("billing")
    folder = home / "services" / "long"
    for path in [folder, *folder.rglob("*")]:
        with suppress(FileNotFoundError):  # its router writes: a new file takes the name of the one before
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert billing not in (folder / "callers.json").read_text()
    replica, stuck = (each.pid for each in service.state.replicas)
    router = json.loads((folder / "router.json").read_text())["process"]["pid"]
    assert replica is not None and stuck is not None
    os.kill(stuck, signal.SIGSTOP)
    os.kill(router, signal.SIGKILL)
    until(lambda: service.state.phase == "dead")
    until(lambda: is_gone(replica))
    assert "dead: its router is gone without having been stopped" in repr(mlops.services())
    assert re.search("long: churn@[0-9]+ dead, The service", repr(service)), "since when nobody knows"
    with pytest.raises(Unavailable, match=r"Deploy it: mlops.deploy\('churn@1', name='long'\)"):
        service.predict(ROW)
    where = urlsplit(address)
    taken = socket.create_server((where.hostname or "", where.port or 0))
    with taken, pytest.raises(StartFailed, match="can't listen on port"):
        mlops.deploy("churn", name="long")
    assert is_gone(stuck), "of what was dead nothing is left over"
    again = mlops.deploy("churn", name="long", replicas=1)
    assert (again.address, again.token()) == (address, token) and Caller(again, billing)("GET", "/v2").status == 200
    with pytest.raises(Conflict, match="it serves the model 'churn'"):
        mlops.deploy("blind@1", name="long")
    again.stop()
    assert (
        again.state.phase == "stopped" and "long" not in repr(mlops.services()) and "long" in repr(mlops.services(True))
    )
    again.stop()


def test_a_name_that_means_an_older_version_does_not_take_a_service_back(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (0, 7):
        mlops.save_model(plain(seed), "won", valid=numbers(1))
    model = mlops.model("won")
    model.promote(1)
    service = mlops.deploy("won")
    try:
        mlops.deploy("won@2", canary=True)
        assert service.state.hint == "" and "still" not in repr(service)
        told = repr(service.promote())
        assert "won@2 ready" in told
        assert "the champion is still won@1: mlops.model('won').promote(2) promotes this one" in told
        for again in (lambda: mlops.deploy("won", replicas=2), lambda: mlops.deploy(model, canary=True)):
            with pytest.raises(Conflict, match=r"serves won@2, which is newer than won@1.*promote\(2\).*or won@1"):
                again()
        assert main(["deploy", "won"]) == 1 and main(["services", "show", "won"]) == 0
        written = capsys.readouterr()
        assert "mlops.model('won').promote(2)" in written.err and "the champion is still won@1" in written.out
        assert service.state.version == 2 and len(pids(service, 2)["ready"]) == 1
        assert mlops.deploy("won@champion").state.version == 1, "who says so means it"
        assert mlops.deploy("won@2").state.version == 2
        model.promote(2, override="as good")
        assert mlops.deploy("won").state.hint == ""
        model.promote(1, override="it was better")
        assert mlops.deploy("won").state.version == 1, "it was promoted since"
    finally:
        service.stop()


def test_services_on_the_command_line(service: mlops.Service, capsys: pytest.CaptureFixture[str]) -> None:
    def say(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments))
        written = capsys.readouterr()
        return code, written.out + written.err

    code, text = say("services")
    assert code == 0 and text.splitlines()[0].split()[:4] == ["NAME", "STATE", "VERSION", "ADDRESS"]
    line = next(line.split() for line in text.splitlines() if line.startswith("churn "))
    assert line[-6:-4] == [service.address, "2"] or service.address in line
    assert service.address in say("services", "show", "churn")[1]
    token = say("services", "token", "churn", "cron")[1].strip()
    assert Caller(service, token)("GET", "/v2").status == 200
    assert say("services", "revoke", "churn", "cron")[0] == 0 and say("services", "revoke", "churn", "cron")[0] == 1
    assert say("services", "token", "chrun") == (2, "There is no service named 'chrun'. Did you mean 'churn'?\n")
    assert say("deploy", "churn@9")[0] == 2 and say("services", "show")[0] == 2
    assert say("deploy", "churn@1", "-r", "99") == (
        2,
        "This deployment isn't valid: replicas must be 64 at most (got 99).\n",
    )
    code, text = say("deploy", "churn@1", "--name", "cli", "--why", "for the night")
    assert code == 0 and "cli: churn@1 ready at http://127.0.0.1:" in text
    assert say("services", "forget", "cli")[0] == 1
    assert say("undeploy", "cli") == (0, "cli is stopped.\n") and say("services", "forget", "cli")[0] == 0
    code, text = say("trail", "churn", "-n", "5")
    told = [line.partition(" (cli) ")[2] for line in text.splitlines() if "(cli)" in line]
    assert code == 0 and told == [
        "let in cron to churn",
        "shut out cron to churn",
        "deployed churn@1 as cli: for the night",
        "stopped churn@1 as cli",
        "forgotten churn as cli",
    ]
    assert text.splitlines()[-1].startswith("unbroken  churn: ")


def test_what_can_not_be_deployed_is_said(service: mlops.Service) -> None:
    with pytest.raises(UnknownModel, match="Did you mean 'churn'"):
        mlops.deploy("chrun")
    with pytest.raises(UnknownVersion, match=r"blind has no champion.*say which: blind@1"):
        mlops.deploy("blind")
    with pytest.raises(InvalidSpec, match="version"):
        mlops.deploy("churn@soon")
    with pytest.raises(InvalidSpec, match="name may have up to 48 small letters"):
        mlops.deploy("churn", name="../x")
    with pytest.raises(InvalidSpec, match=r"body must be 1.0 GB at most .got"):
        mlops.deploy("churn", body="2 GB")
    with pytest.raises(UnknownService, match="Did you mean 'churn'"):
        mlops.service("chrun")
