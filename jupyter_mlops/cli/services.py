"""`jupyter mlops services`, `deploy` and `undeploy`."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from ..client.words import cost_so_far
from ..core.base import read_input
from ..core.callers import ServiceCallers
from ..core.candidate import SplitChange
from ..core.errors import Conflict, InvalidInput
from ..core.label import words_of
from ..core.service import ServiceState
from ..core.trail import Actor
from ..core.words import about, count, fine_money, sentences
from ..home.owner import me
from ..serving import deeds
from ..serving.deploy import deploy as deploy_service
from ..serving.deploy import read_deployment, read_text, until_so
from ..serving.find import find_service, hosting_of, list_services, silences, watch_of
from ..serving.labels import read_labels
from ..serving.lines import callers_table, comparison_table, service_line, watched
from ..serving.missed import callers_of, missed_by
from ..serving.retrain import retrain
from ..serving.splits import change_split, promote, roll_back
from ..serving.wishes import way_of
from .show import as_json, table

#: Arguments of `deploy` that are as they are in a deployment.
_BOUNDS = (
    "name",
    "place",
    "profile",
    "replicas",
    "port",
    "body",
    "patience",
    "window",
    "log",
    "keep",
    "private",
    "retrain_rows",
)

#: What is decided about a version that is tried.
_DECISIONS = ("share", "pause", "resume", "promote", "rollback")


async def services(asked: Namespace) -> None:
    """`services`, `services show NAME`, `services token NAME [CALLER]`, `services revoke NAME CALLER`, …"""
    if asked.what == "list":
        states = [state for state in await list_services() if asked.all or state.phase != "stopped"]
        if asked.json:
            return as_json(states)
        missing = [f"! {sentences(problem.words, problem.todo)}" for problem in silences()]
        return _say("\n".join([_listed(states), *missing]))
    if not asked.name:
        raise InvalidInput(f"`services {asked.what}` needs a name", "", "See: jupyter mlops services")
    state = await find_service(asked.name)
    hosting, actor = hosting_of(state.place), Actor(name=me(), how="cli")
    if asked.what == "show":
        told = await callers_of(state.place, state.name)
        if asked.json:
            return as_json({"service": state, "callers": [each.caller for each in told.callers], "usage": told})
        return _say(_shown(state, told))
    if asked.what == "logs":
        lines = await hosting.logs(state.name)
        return as_json(lines) if asked.json else _say("\n".join(lines) or "Its log is empty.")
    if asked.what == "watch":
        watch, good = await watch_of(state.place, state.name), await hosting.performance(state.name)
        if asked.json:
            return as_json({**watch.model_dump(mode="json"), "performance": good})
        return _say(watched(state.name, watch, good))
    if asked.what == "compare":
        return as_json(state.candidate) if asked.json else _say(comparison_table(state))
    if asked.what == "retrain":
        begun = await retrain(state.name, actor, asked.why)
        return as_json(begun) if asked.json else _say(f"{state.name}: {begun.words}. What it prints: {begun.log}")
    if asked.what in _DECISIONS:
        return await _decide(asked, state.name, actor)
    if asked.what == "label":
        if not asked.caller:
            raise InvalidInput("Which labels?", "", f"Name the file: services label {state.name} FILE")
        joined = await deeds.label(state.name, read_labels(Path(asked.caller)))
        return as_json(joined) if asked.json else _say(f"{words_of(joined)}.")
    if asked.what == "forget" and asked.key is not None:
        number = await deeds.forget_key(state.name, asked.key, actor)
        return as_json({"rows": number}) if asked.json else _say(f"{count(number, 'row')} of this key are removed.")
    if asked.what == "forget" and asked.caller:
        todo = f"Write `services forget {state.name} --key …`, or no key to remove the service."
        raise InvalidInput("Is this the key whose requests are to be forgotten?", "", todo)
    if asked.what == "forget":
        await deeds.forget(state.name, actor)
        return _say(f"{state.name} is forgotten.")
    if asked.what == "token":
        if asked.caller in (None, me()):
            token = await hosting.own_token(state.name)
        else:
            token = await deeds.let_in(state.name, asked.caller, actor)
        return as_json({"token": token}) if asked.json else _say(token)
    if not asked.caller:
        raise InvalidInput(
            "Whose token is to be taken back?", "", f"Name the caller: services revoke {state.name} NAME"
        )
    if not await deeds.shut_out(state.name, asked.caller, actor):
        known = ", ".join(await hosting.callers(state.name))
        raise Conflict(f"{asked.caller!r} has no token of {state.name!r}", "", f"There are: {known}.")
    return _say(f"The token of {asked.caller} opens nothing any more.")


async def _decide(asked: Namespace, name: str, actor: Actor) -> None:
    """`services share NAME SHARE`, `pause`, `resume`, `promote` and `rollback NAME`."""
    if asked.what in ("promote", "rollback"):
        end = promote if asked.what == "promote" else roll_back
        _, spec = await end(name, actor, why=asked.why)
        state = await until_so(spec, actor)
    else:
        given = {"paused": asked.what == "pause"} if asked.what != "share" else {"share": asked.caller}
        change = read_input(SplitChange, given, "split")
        if asked.what == "share" and change.share is None:
            raise InvalidInput("Which share?", "", f"Say it: services share {name} 0.25")
        state = await change_split(name, actor, share=change.share, paused=change.paused, why=asked.why)
    return as_json(state) if asked.json else _say(service_line(state, time.time()))


async def deploy(asked: Namespace) -> None:
    """`deploy MODEL[@VERSION]`."""
    bounds = {name: getattr(asked, name) for name in _BOUNDS}
    bounds["pipeline"] = await asyncio.to_thread(os.path.realpath, asked.pipeline) if asked.pipeline else asked.pipeline
    bounds["retrain"] = asked.retrain and asked.retrain.replace("-", " ")
    actor = Actor(name=me(), how="cli")
    way = way_of(asked.canary, asked.ab, asked.shadow)
    wanted = read_deployment(**read_text(asked.model), why=asked.why, **bounds, **way)
    state, spec = await deploy_service(wanted, actor)
    if not asked.no_wait:
        state = await until_so(spec, actor)
    return as_json(state) if asked.json else _say(service_line(state, time.time()))


async def undeploy(asked: Namespace) -> None:
    """`undeploy NAME …`."""
    states = [await find_service(name) for name in asked.name]
    for state in states:
        if not asked.json and state.live and (missed := await missed_by(state.place, state.name)):
            _say(f"{state.name}: {missed}")
        await deeds.stop(state.name, Actor(name=me(), how="cli"), asked.why)
        if not asked.json:
            _say(f"{state.name} is stopped.")
    if asked.json:
        as_json([await find_service(state.name) for state in states])


def _listed(states: Sequence[ServiceState]) -> str:
    """Services as a table, and below it what is wrong with them."""
    if not states:
        return "No services. Make one: jupyter mlops deploy MODEL"
    now = time.time()
    head = ("NAME", "STATE", "VERSION", "ADDRESS", "REPLICAS", "REQUESTS", "PER SECOND", "ERRORS", "AGE")
    rows = [
        (
            state.name,
            f"{state.phase} !" if state.problem or state.alarm or state.unkept else state.phase,
            state.version_name,
            state.address if state.live else "",
            str(sum(replica.phase == "ready" for replica in state.replicas)),
            *(
                ("", "", "")
                if state.rate is None
                else (f"{state.requests:,}", f"{state.rate:.1f}", f"{state.errors:,}")
            ),
            about(now - state.created) if state.created else "",
        )
        for state in states
    ]
    lines = [line for state in states for line in _problems(state)]
    return "\n".join([table(head, rows, right="REPLICAS,REQUESTS,PER SECOND,ERRORS,AGE"), *lines])


def _problems(state: ServiceState) -> list[str]:
    found = [each for each in (state.problem, state.alarm, state.unkept) if each is not None]
    told = [f"! {state.name}: {sentences(each.words, each.todo)}" for each in found]
    said = [*([] if state.retraining is None else [state.retraining.words]), *([state.hint] if state.hint else [])]
    return told + [f"{state.name}: {words}" for words in said]


def _shown(state: ServiceState, callers: ServiceCallers) -> str:
    replicas = [f"  {each.name}  {each.phase}  {each.pid or ''}" for each in state.replicas]
    told = [service_line(state, time.time())]
    told += _problems(state)
    if state.retraining is not None:
        told += [f"What retraining printed: {state.retraining.log}"]
    told += ["Replicas:", *replicas] if replicas else []
    if state.cost is not None:
        rate = fine_money(state.cost.per_hour, state.cost.currency) if state.live else ""
        told.append(f"Cost: {cost_so_far(state.cost)}" + (f", {rate} an hour" if rate else ""))
    names = ", ".join(each.caller for each in callers.callers)
    told.append(f"Callers: {names or 'none yet'}")
    return "\n".join([*told, *callers_table(state.name, callers, time.time()).splitlines()] if names else told)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
