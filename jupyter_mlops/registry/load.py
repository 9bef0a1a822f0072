"""Loading a version: only what its owner saved, as it was saved, and only while it answers as it did."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from ..core.errors import Conflict, ModelChanged, Refused, UnknownVersion
from ..core.model import Finding, ModelVersion
from ..core.words import count, listed
from ..home.models import EXAMPLE, EXAMPLE_ANSWER, ModelFolder, VersionFolder, digest_of_files
from .answers import ask, same
from .environment import differences
from .flavors import FLAVORS
from .rows import rows_from, undump

#: Things that an error names one by one.
_NAMED = 4


def load(folder: ModelFolder, version: ModelVersion, quiet: bool = False) -> Any:
    """The model of a version.

    Parameters
    ----------
    quiet : whether nothing is said of an environment that differs.

    Raises
    ------
    ModelChanged : a file isn't the one that was saved, or the model doesn't give its example's answer any more.
    Refused : others could have written it, or it is one that others registered in MLflow.
    Conflict : it can't be loaded in this environment.
    """
    if version.registered:
        raise Refused(
            f"{version.name} isn't loaded",
            f"others registered it in MLflow ({version.registered}), and loading it would run their code",
            "If you trust them, load it by MLflow's own mlflow.pyfunc.load_model.",
        )
    kept = folder.version(version.number)
    check_private(kept)
    check_files(folder, version)
    flavor = FLAVORS.get(version.flavor)
    if flavor is None:
        raise Conflict(f"{version.name} can't be loaded", f"{version.flavor!r} is of a newer jupyter-mlops", "Upgrade.")
    differing = differences(version)
    if differing and not quiet:
        warnings.warn(f"{version.name} was saved in another environment: {_some(differing)}.", stacklevel=3)
    code = str(kept.artifact / "code")
    if os.path.isdir(code) and code not in sys.path:  # noqa: PTH112 - as sys.path has it
        sys.path.append(code)
    try:
        model = flavor.read(kept.artifact)
    except Exception as error:
        todo = f"It was saved with {_some(differing)}." if differing else ""
        raise Conflict(f"{version.name} can't be loaded here", f"{type(error).__name__}: {error}", todo) from error
    differs = example_differs(kept, version, model)
    if differs:
        hint = f"It was saved with {_some(differing)}." if differing else ""
        raise ModelChanged(f"{version.name} doesn't answer its example as it did", differs, hint)
    return model


def check_private(kept: VersionFolder) -> None:
    """Raise `Refused` where others than this user could have written the version."""
    for path in (kept.path, kept.artifact):
        try:
            stat = path.stat()
        except FileNotFoundError:
            raise UnknownVersion(f"{kept.path} isn't whole", "its artifact is missing", "") from None
        if stat.st_uid != os.getuid() or stat.st_mode & 0o022:
            raise Refused(
                f"{kept.path} isn't loaded",
                "others may have written it, and loading it runs what is in it",
                "Only what is yours alone is loaded: chown it, and chmod it to 0700.",
            )


def check_files(folder: ModelFolder, version: ModelVersion) -> None:
    """Raise `ModelChanged` where a file of the version isn't the one that was saved, or the trail says another."""
    now = folder.version(version.number).digests()
    changed = sorted(name for name, digest in version.files.items() if now.get(name, digest) != digest)
    changed = [f"{name} has changed" for name in changed]
    changed += [f"{name} is missing" for name in sorted(set(version.files) - set(now))]
    changed += [f"{name} was added" for name in sorted(set(now) - set(version.files))]
    if not changed and version.digest != digest_of_files(version.files):
        changed = ["its record has changed"]
    told = [entry.digest for entry in folder.trail() if entry.verb == "saved" and entry.object == version.name]
    if not changed and told and version.digest not in told:
        changed = ["its trail has another digest"]
    if changed:
        todo = "Take another version, or save the model again; nothing of this one was loaded."
        raise ModelChanged(f"{version.name} isn't what was saved", _some(changed), todo)


def example_differs(kept: VersionFolder, version: ModelVersion, model: Any) -> str:
    """How the answer to the stored example differs from the stored one; empty where it doesn't, or none is stored."""
    rows, answer = kept.read(EXAMPLE), kept.read(EXAMPLE_ANSWER)
    if rows is None or answer is None:
        return ""
    return same(undump(answer)[1]["answer"], ask(FLAVORS[version.flavor], model, rows_from(rows)))


def verify(folder: ModelFolder, version: ModelVersion) -> list[Finding]:
    """What can be said of a version without loading it: files, environment, and the model's trail."""
    found = []
    try:
        check_private(folder.version(version.number))
        check_files(folder, version)
        words = f"{count(len(version.files), 'file')} as they were saved"
        found.append(Finding(what="files", passed=True, words=words))
    except (ModelChanged, Refused, UnknownVersion) as error:
        found.append(Finding(what="files", passed=False, words=str(error)))
    differing = differences(version)
    words = _some(differing) if differing else "as it was"
    found.append(Finding(what="environment", passed=not differing, words=words))
    return [*found, verify_trail(folder)]


def verify_trail(folder: ModelFolder) -> Finding:
    """Whether the trail is as it was written."""
    broken = folder.breaks()
    harm = [each for each in broken if not each.harmless]
    entries = count(len(folder.trail()), "entry", "entries")
    if harm:
        return Finding(what="trail", passed=False, words="; ".join(f"line {each.line}: {each.what}" for each in harm))
    cut = [f"line {each.line} was cut short by a crash" for each in broken]
    return Finding(what="trail", passed=True, words=", ".join([f"{entries}, each follows the one before", *cut]))


def _some(words: list[str]) -> str:
    more = [f"{len(words) - _NAMED} more"] if len(words) > _NAMED else []
    return listed([*words[:_NAMED], *more])
