"""Changing what a model's name means, and its gates: one at a time, with a reason, in the trail."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from ..core.base import read_input
from ..core.errors import Conflict, GatesFailed, InvalidInput, InvalidSpec, Unavailable
from ..core.gate import GateRules, Verdict
from ..core.model import Aliases, ModelVersion, PackageCheck, Vulnerability
from ..core.trail import Actor
from ..core.words import count
from ..home.acting import here
from ..home.models import ModelFolder
from .find import find_version
from .judge import judge
from .load import check_files, check_private
from .measure import METRICS
from .save import tell_mlflow
from .trails import write_trail

#: Seconds that a look for weaknesses of packages may take.
_PATIENCE = 300.0

#: Of `expected`, where nothing is.
ANY = object()


def promote(
    folder: ModelFolder,
    number: int | str | None,
    *,
    why: str = "",
    override: str = "",
    valid: Any = None,
    expected: Any = ANY,
    actor: Actor | None = None,
) -> Verdict:
    """Make a version its model's champion; the parameters are those of `Model.promote`.

    Parameters
    ----------
    expected : the champion's number, or None, that the person saw who asks; another one by now is a `Conflict`.
    actor : who asks; default: the user of this process.
    """
    actor = actor or here()
    for name, text in (("why", why), ("override", override)):
        if not isinstance(text, str):
            raise InvalidInput(f"{name} is a {type(text).__name__}", "it must be a reason, in words", "")
    version = _whole(folder, number)
    seen, rules = folder.aliases(), folder.rules()
    _expect(folder, version, actor, seen, expected)
    if seen.champion == version.number:
        raise Conflict(f"{version.name} is the champion already", f"since {seen.by} promoted it", "")
    verdict = judge(folder, version, _champion(folder, seen), rules, valid)
    with folder.locked():
        _expect(folder, version, actor, folder.aliases(), seen.champion)
        if folder.rules() != rules:
            raise Conflict(f"{version.name} isn't promoted", "its gates were changed meanwhile", "Try again.")
        folder.version(version.number).write_verdict(verdict)
        failed = bool(verdict.failed)
        told = _told(version, verdict)
        if failed and not override.strip():
            write_trail(folder, actor, "refused", version.name, why=why, **told)
            raise _refused(version, verdict)
        reason = override.strip() if failed else why
        entry, digest = write_trail(folder, actor, "promoted", version.name, why=reason, override=failed, **told)
        folder.write_aliases(
            Aliases(champion=version.number, since=entry.time, by=actor.name, trail=entry.seq, trail_digest=digest)
        )
    tell_mlflow()
    return verdict


def pass_gates(folder: ModelFolder, number: int, *, why: str = "", actor: Actor | None = None) -> Verdict:
    """Have the gates judge a version as `promote` does, and keep what they say; the champion stays what it is.

    Raises
    ------
    GatesFailed : they refuse it. The trail says so.
    Conflict, ModelChanged : its files are incomplete, or aren't those that were saved.
    """
    version, rules = _whole(folder, number), folder.rules()
    verdict = judge(folder, version, _champion(folder, folder.aliases()), rules)
    with folder.locked():
        folder.version(version.number).write_verdict(verdict)
        if verdict.failed:
            write_trail(folder, actor or here(), "refused", version.name, why=why, **_told(version, verdict))
            raise _refused(version, verdict)
    return verdict


def set_rules(folder: ModelFolder, rules: Any, why: str = "", actor: Actor | None = None) -> GateRules:
    """Replace a model's gates.

    Raises
    ------
    InvalidSpec : names what is wrong with them.
    """
    new = rules if isinstance(rules, GateRules) else read_input(GateRules, rules, "gate")
    asked = [new.improvement.metric] if new.improvement is not None else []
    for name in filter(None, [*asked, *(rule.metric for rule in new.slices)]):
        if name not in METRICS:
            raise InvalidSpec(
                "This gate isn't valid", f"there is no metric {name!r}", f"There are: {', '.join(METRICS)}."
            )
    with folder.locked():
        before = folder.rules()
        if before == new:
            return new
        texts = [each.model_dump_json(exclude_defaults=True) for each in (before, new)]
        folder.write_rules(new)
        write_trail(folder, actor or here(), "ruled", folder.name, before=texts[0], after=texts[1], why=why)
    return new


def check_packages(folder: ModelFolder, version: ModelVersion, actor: Actor | None = None) -> PackageCheck:
    """Look a version's packages up for known weaknesses, by pip-audit, which asks PyPI; the answer is kept.

    Raises
    ------
    Unavailable : pip-audit isn't installed, or can't ask.
    """
    command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner=off", "-f", "json"]
    text = "".join(f"{name}=={number}\n" for name, number in version.packages.items())
    try:
        done = subprocess.run(
            [*command, "-r", "/dev/stdin"], input=text, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise Unavailable("The packages can't be looked up", f"no answer in {_PATIENCE:.0f} s", "Try again.") from None
    except ValueError:
        said = done.stderr.strip().splitlines()
        missing = "No module named pip_audit" in done.stderr
        todo = "pip install pip-audit" if missing else "It asks pypi.org: is there a way out from here?"
        why = "pip-audit isn't installed" if missing else said[-1] if said else "pip-audit gave no answer"
        raise Unavailable(f"The packages of {version.name} can't be looked up", why, todo) from None
    known = [
        Vulnerability(package=each["name"], version=each["version"], id=one["id"], fixed=one.get("fix_versions", []))
        for each in found.get("dependencies", [])
        for one in each.get("vulns", [])
    ]
    unknown = [each["name"] for each in found.get("dependencies", []) if "skip_reason" in each]
    check = PackageCheck(time=time.time(), found=known, unknown=unknown)
    with folder.locked():
        folder.version(version.number).write_check(check)
        after = f"{count(len(known), 'known weakness', 'known weaknesses')}, {count(len(unknown), 'unknown package')}"
        write_trail(folder, actor or here(), "checked", version.name, after=after, digest=version.digest)
    return check


def _whole(folder: ModelFolder, number: int | str | None) -> ModelVersion:
    """A version that may be judged: it loads what was saved."""
    version = find_version(folder, number)
    if version.problem is not None:
        raise Conflict(version.problem.what, version.problem.why, version.problem.todo)
    check_private(folder.version(version.number))
    check_files(folder, version)
    return version


def _champion(folder: ModelFolder, aliases: Aliases) -> ModelVersion | None:
    return None if aliases.champion is None else find_version(folder, aliases.champion)


def _told(version: ModelVersion, verdict: Verdict) -> dict[str, Any]:
    """What the trail says of a verdict."""
    change = {"before": _text(verdict.champion), "after": str(version.number)}
    return {"gates": verdict.results, "digest": version.digest, **change}


def _expect(folder: ModelFolder, version: ModelVersion, actor: Actor, now: Aliases, expected: Any) -> None:
    """Raise `Conflict` where another version is the champion than the one that was expected."""
    if expected is ANY or now.champion == expected:
        return
    was = "no champion" if expected is None else f"{folder.name}@{expected}"
    is_now = "there is none now" if now.champion is None else f"{now.by} has promoted {folder.name}@{now.champion}"
    raise Conflict(
        f"{version.name} isn't promoted for {actor.name}",
        f"{is_now} meanwhile; it was compared with {was}",
        "Look at what is the champion now, and promote again if you still want to.",
    )


def _refused(version: ModelVersion, verdict: Verdict) -> GatesFailed:
    told = "; ".join(f"{result.gate}: {result.words}" for result in verdict.failed)
    return GatesFailed(
        f"{version.name} isn't promoted",
        told,
        "If it has to be, override the gates with a reason, which the trail keeps: promote(…, override='…').",
    )


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
