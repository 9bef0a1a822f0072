"""Labels: what turned out to be true of rows that a service has answered, joined to them by their ids."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

from .base import Amount, Label, Record, Saying, first
from .errors import MOST_SAID
from .logged import is_kept
from .words import count, first_of, harmless

#: Ids that are named of each kind.
_NAMED = 5

#: No number that is a label is so large.
_LARGE = 10**308

#: What a text may say for yes and no.
_YES_NO = {"true": 1.0, "false": 0.0}


class JoinedLabels(Record):
    """What became of labels: how many are new, were there already, or changed one that was; and those left out, each
    kind with some of its ids.

    `contradicting` are ids that came with several labels, `outside` rows that aren't in the part that is logged,
    `strangers` those that are nobody's, as far as is known: never asked, too many at the time, or older than what is
    kept; `wrong` are labels that can't be one of the version's, `empty` those that say nothing.
    """

    new: Amount = 0
    same: Amount = 0
    changed: Amount = 0
    contradicting: Amount = 0
    outside: Amount = 0
    strangers: Amount = 0
    wrong: Amount = 0
    empty: Amount = 0
    examples: dict[str, Annotated[list[Label], first(_NAMED)]] = {}
    #: As `words_of`; set by who sends it.
    words: Saying = ""

    def add(self, kind: str, id: str = "", number: int = 1) -> None:
        """One more of a kind."""
        setattr(self, kind, getattr(self, kind) + number)
        named = self.examples.setdefault(kind, []) if id else []
        if id and len(named) < _NAMED:
            named.append(harmless(id, 60))


#: Kind → how one is told, and several.
_KINDS = {
    "same": ("was there already", "were there already"),
    "changed": ("changes one that was there", "change some that were there"),
    "contradicting": ("has several labels here, and gets none", "have several labels here, and get none"),
    "outside": ("isn't in the part that is logged", "aren't in the part that is logged"),
    "strangers": ("is unknown", "are unknown"),
    "wrong": ("can't be true of what it answers", "can't be true of what it answers"),
    "empty": ("says nothing", "say nothing"),
}

#: Kinds whose ids are named.
_SHOWN = ("contradicting", "strangers", "wrong")


def words_of(joined: JoinedLabels) -> str:
    """ "12 labels are new; 3 are unknown: a, b and c"."""
    parts = [f"{count(joined.new, 'label')} {'is' if joined.new == 1 else 'are'} new"]
    for kind, (one, several) in _KINDS.items():
        number = getattr(joined, kind)
        if not number:
            continue
        named = joined.examples.get(kind, []) if kind in _SHOWN else []
        ids = f": {first_of(named, _NAMED)}" if named else ""
        parts.append(f"{number:,} {one if number == 1 else several}{ids}")
    return "; ".join(parts)


def told_apart(pairs: Iterable[tuple[str, object]], joined: JoinedLabels) -> dict[str, object]:
    """The label of each id. An id that comes with several has none of them; what comes again is there already."""
    found: dict[str, object] = {}
    contradicting: set[str] = set()
    for id, label in pairs:
        plain = _plainly(label)
        if plain is None:
            joined.add("empty", id)
        elif not _is_value(plain):
            joined.add("wrong", id)
        elif id not in found:
            found[id] = plain
        elif found[id] == plain and id not in contradicting:
            joined.add("same", id)
        elif id not in contradicting:
            contradicting.add(id)
            joined.add("contradicting", id)
    for id in contradicting:
        del found[id]
    return found


def add_unknown(ids: Iterable[str], share: float, joined: JoinedLabels) -> None:
    """Count labels of ids that aren't in a log.

    Parameters
    ----------
    share : of the rows that is logged: one of a row that isn't is no stranger.
    """
    for id in ids:
        joined.add("strangers" if is_kept(id, share) else "outside", id)


def added_up(several: Iterable[JoinedLabels]) -> JoinedLabels:
    """What became of labels that were joined to several logs, each label to one."""
    whole = JoinedLabels()
    for each in several:
        for kind in ("new", *_KINDS):
            setattr(whole, kind, getattr(whole, kind) + getattr(each, kind))
            named = [*whole.examples.get(kind, []), *each.examples.get(kind, [])]
            if named:
                whole.examples[kind] = named[:_NAMED]
    return whole


def scored(task: str, answer: str, label: object) -> tuple[str, float | None] | None:
    """A label as it is kept, and how good the answer was: 1 or 0 for a label that is right or wrong, the squared error
    of a number; None where it can't be true of such an answer.

    Parameters
    ----------
    task : of the model.
    answer : as `LoggedRow`.
    """
    if task == "other":
        return json.dumps(_plainly(label)), None
    try:
        said = json.loads(answer)
    except ValueError:
        return None
    if isinstance(said, str):
        text = str(_plainly(label))
        return json.dumps(text), float(text == said)
    number = _number(label)
    if number is None or not isinstance(said, (bool, int, float)):
        return None
    try:
        score = float(number == said) if task == "classification" else (number - said) * (number - said)
    except OverflowError:  # whatever a version may answer
        return None
    return (json.dumps(number), score) if math.isfinite(score) else None


def _number(label: object) -> float | None:
    text = str(_plainly(label)).strip().lower()
    try:
        number = _YES_NO[text] if text in _YES_NO else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _plainly(label: object) -> object:
    """A value as Python has it; None where it says nothing. A whole number is no other when it is written with a
    point."""
    if type(label).__name__ in ("NAType", "NaTType"):  # of pandas, which compares them with nothing
        return None
    if not isinstance(label, (str, int, float)) and getattr(label, "ndim", None) == 0:
        label = label.item()  # type: ignore[attr-defined]  # numpy's
    if isinstance(label, Decimal):
        label = float(label)
    if isinstance(label, float):
        return None if math.isnan(label) else int(label) if label.is_integer() else label
    return None if isinstance(label, str) and not label else label


def _is_value(plain: object) -> bool:
    """Whether it is one value, of a length that one has."""
    if isinstance(plain, str):
        return len(plain) <= MOST_SAID
    return isinstance(plain, float) or (isinstance(plain, int) and abs(plain) < _LARGE)
