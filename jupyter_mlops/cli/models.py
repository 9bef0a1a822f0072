"""`jupyter mlops models`: models, their versions, gates and trail."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence

from ..core.errors import InvalidInput, MlopsError, ModelChanged
from ..core.model import ModelState
from ..core.trail import Actor
from ..core.words import about
from ..home.models import model_folders
from ..home.owner import me
from ..registry.find import find_model, find_version, search, split_name
from .show import as_json, table

#: Lines of the trail that are shown.
_TRAIL = 10


async def models(asked: Namespace) -> None:
    """`models [TEXT]`, `models show NAME`, `models promote NAME@N`, `models verify [NAME]`, `models tag NAME TAG …`."""
    if asked.what not in (*_COMMANDS, "verify"):
        first = [] if asked.what == "list" else [asked.what]
        return _list(asked, " ".join([*first, *filter(None, [asked.name]), *asked.words]))
    if asked.what == "verify" and asked.name is None:
        return _verify(asked, [folder.name for folder in model_folders()])
    if not asked.name:
        raise InvalidInput(f"`models {asked.what}` needs a name", "", "See: jupyter mlops models")
    if asked.words and asked.what not in ("tag", "untag", "describe"):
        raise InvalidInput(f"`models {asked.what}` takes one name", f"got {asked.words[0]!r}, too", "")
    return _verify(asked, [asked.name]) if asked.what == "verify" else _COMMANDS[asked.what](asked)


def _list(asked: Namespace, text: str) -> None:
    states = [folder.state() for folder in search(text, asked.owner, asked.tag)]
    if asked.json:
        return as_json(states)
    looked_for = text or asked.owner is not None or asked.tag is not None
    none = "No model is like that." if looked_for else "No models."
    return _say(models_table(states, time.time()) if states else none)


def models_table(states: Sequence[ModelState], now: float) -> str:
    """Models, with their champion, or else their newest version."""
    rows = []
    for state in states:
        shown = state.champion or next(iter(state.versions), None)
        champion = "" if state.aliases.champion is None else f"@{state.aliases.champion}"
        metric = next((f"{name} {each.value:.4g}" for name, each in shown.metrics.items()), "") if shown else ""
        age = "" if shown is None else about(now - shown.created)
        problem = state.problem.what if state.problem else ""
        versions, gated = str(len(state.versions)), "yes" if state.gated else ""
        tags = ", ".join(state.description.tags)
        rows.append((state.name, champion, versions, metric, gated, age, state.owner, tags, problem))
    head = ("NAME", "CHAMPION", "VERSIONS", "METRIC", "GATES", "AGE", "OWNER", "TAGS", "")
    return table(head, rows, right="VERSIONS")


def _show(asked: Namespace) -> None:
    from ..registry.lines import model_lines
    from ..registry.trails import trail_line

    name, number = split_name(asked.name)
    folder = find_model(name)
    if number is not None:
        version = find_version(folder, number)
        return as_json(version) if asked.json else _say(folder.version(version.number).card())
    if asked.json:
        return as_json({"model": folder.state(), "gates": folder.rules(), "trail": folder.trail()})
    trail = [f"  {trail_line(each)}" for each in folder.trail()[-_TRAIL:]]
    rules = json.dumps(folder.rules().model_dump(mode="json", exclude_defaults=True))
    gates = [] if folder.rules().empty else [f"Gates: {rules}"]
    return _say("\n".join([*model_lines(folder.state(), time.time()), *gates, "Trail:", *trail]))


def _promote(asked: Namespace) -> None:
    from ..registry.promote import promote

    name, number = split_name(asked.name)
    if number is None:
        raise InvalidInput("Which version is to be promoted?", "", f"Name it, like {name}@3.")
    actor = Actor(name=me(), how="cli")
    verdict = promote(find_model(name), number, why=asked.why, override=asked.override, actor=actor)
    if asked.json:
        return as_json(verdict)
    return _say("\n".join([f"{name}@{verdict.version} is the champion.", *(result.line for result in verdict.results)]))


def _describe(asked: Namespace) -> None:
    """`models tag NAME TAG …`, `models untag NAME TAG …`, `models describe NAME [TEXT] [--owner OWNER]`."""
    from ..registry.describe import describe, words_of

    folder, actor = find_model(asked.name), Actor(name=me(), how="cli")
    if not asked.words and (asked.what != "describe" or asked.owner is None):
        wanted = "what is to be said of it" if asked.what == "describe" else "a tag"
        raise InvalidInput(f"`models {asked.what}` needs {wanted}", "", f"models {asked.what} {folder.name} …")
    if asked.what == "describe":
        text = " ".join(asked.words) or None
        said = describe(folder, text=text, owner=asked.owner, why=asked.why, actor=actor)
    else:
        tags = {"add" if asked.what == "tag" else "remove": asked.words}
        said = describe(folder, why=asked.why, actor=actor, **tags)
    return as_json(said) if asked.json else _say(f"{folder.name}: {words_of(said) or 'nothing is said of it.'}")


def _check(asked: Namespace) -> None:
    from ..registry.promote import check_packages

    name, number = split_name(asked.name)
    folder = find_model(name)
    check = check_packages(folder, find_version(folder, number), Actor(name=me(), how="cli"))
    if asked.json:
        return as_json(check)
    rows = [(each.package, each.version, each.id, ", ".join(each.fixed)) for each in check.found]
    rows += [(each, "", "unknown to PyPI", "") for each in check.unknown]
    return _say(table(("PACKAGE", "VERSION", "WEAKNESS", "FIXED IN"), rows) if rows else "No weakness is known.")


def _verify(asked: Namespace, names: list[str]) -> None:
    """Fails where something isn't as it was; an environment that differs is told, and no fault."""
    from ..registry.handle import model

    found = {name: model(name).verify() for name in names}
    if asked.json:
        as_json({name: list(each) for name, each in found.items()})
    bad: list[str] = []
    for name, findings in found.items():
        for each in findings:
            wrong = not each.passed and not each.what.startswith("environment")
            bad += [f"{name}: {each.words}"] if wrong else []
            mark = "WRONG" if wrong else "ok" if each.passed else "differs"
            if not asked.json:
                _say(f"{mark:<8}{name}: {each.what}: {each.words}")
    if bad:
        error: MlopsError = ModelChanged("Something isn't as it was", "; ".join(bad[:3]), "")
        raise error


#: What can be done; any other word is looked for.
_COMMANDS: dict[str, Callable[[Namespace], None]] = {
    "show": _show,
    "promote": _promote,
    "check": _check,
    "tag": _describe,
    "untag": _describe,
    "describe": _describe,
}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
