"""The trails of all models as one: `mlops.trail`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from ..core.gate import GateResult
from ..core.model import Finding
from ..core.trail import Actor, TrailEntry
from ..home.models import ModelFolder, model_folders
from .find import find_model, split_name
from .load import verify_trail

#: How deeds are told that their own name doesn't say.
_WORDS = {"refused": "didn't promote", "ruled": "set the gates of", "checked": "looked up the packages of"}


def write_trail(
    folder: ModelFolder, actor: Actor, verb: str, what: str, *, gates: list[GateResult] | None = None, **more: Any
) -> tuple[TrailEntry, str]:
    """Add to the trail what was done; the model is to be locked. Returns the entry, and the digest of its line."""

    def entry(seq: int, previous: str) -> TrailEntry:
        told: dict[str, Any] = {"verb": verb, "object": what, "gates": gates or [], **more}
        return TrailEntry(seq=seq, time=time.time(), actor=actor, previous=previous, **told)

    return folder.add_to_trail(entry)


def trail(model: str | None = None) -> Trail:
    """Who did what to models and their services, by which door and why, the first first; it shows itself, a line each.

    Parameters
    ----------
    model : only what was done to this one.

    Raises
    ------
    UnknownModel : there is none; a near name is suggested.
    """
    return Trail(model_folders() if model is None else [find_model(split_name(model)[0])])


class Trail(list[TrailEntry]):
    """Entries of the trails of models, by time."""

    def __init__(self, folders: Iterable[ModelFolder]) -> None:
        self._folders = list(folders)
        found = [entry for folder in self._folders for entry in folder.trail()]
        super().__init__(sorted(found, key=lambda entry: entry.time))

    def verify(self) -> dict[str, Finding]:
        """Whether each model's trail is as it was written, by the model's name; its `words` say where it isn't."""
        return {folder.name: verify_trail(folder) for folder in self._folders}

    def __repr__(self) -> str:
        return trail_lines(self) or "Nothing was done yet. Save a model: mlops.save_model(model, name)"


def trail_lines(entries: Sequence[TrailEntry]) -> str:
    """Entries, a line each."""
    return "\n".join(map(trail_line, entries))


def trail_line(entry: TrailEntry) -> str:
    """An entry in a line: "2026-11-27 14:02  ada (notebook) deployed churn@3 as churn: new features"."""
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.time))
    done = f"{_WORDS.get(entry.verb, entry.verb)} {entry.object}{' despite its gates' if entry.override else ''}"
    if entry.verb in ("let in", "shut out"):
        done = f"{entry.verb} {entry.after or entry.before} to {entry.service}"
    elif entry.verb == "forgot a key":
        done = f"forgot a key's requests in {entry.service} ({entry.after})"
    elif entry.verb == "deployed" and " as " in entry.after:
        done = f"tried {entry.after} in {entry.service}"
    elif entry.verb == "rolled back":
        done = f"had {entry.object} serve {entry.service} again"
        if " as " in entry.before:  # it was tried
            done = f"took {entry.object} back in {entry.service}"
    elif entry.verb == "split":
        done = f"gave {entry.object} {entry.after} in {entry.service}"
    elif entry.verb == "went on":
        done = f"went on with {entry.object} in {entry.service} ({entry.after})"
    elif entry.verb == "described":
        done = f"described {entry.object}: {entry.after}"
    elif entry.verb in ("began to retrain", "didn't retrain"):
        done = f"{entry.verb} {entry.service}"
    elif entry.verb == "failed":
        done = f"couldn't have {entry.object} answer as {entry.service}"
    elif entry.service:
        done += f" as {entry.service}"
    return f"{at}  {entry.actor.name} ({entry.actor.how}) {done}{f': {entry.why}' if entry.why else ''}"
