"""What people say of a model, so that others find it among hundreds: text, tags, owner. It stands in the trail."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.errors import InvalidInput
from ..core.model import LONGEST_TAG, LONGEST_TEXT, MOST_TAGS, Description
from ..core.trail import Actor
from ..core.words import sentences
from ..home.acting import here
from ..home.models import ModelFolder
from .trails import write_trail


def describe(
    folder: ModelFolder,
    *,
    text: str | None = None,
    owner: str | None = None,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
    why: str = "",
    actor: Actor | None = None,
) -> Description:
    """Say something else of a model; what isn't given stays.

    Parameters
    ----------
    add, remove : tags. To remove one that it hasn't changes nothing.

    Raises
    ------
    InvalidInput : names what can't be said of a model.
    StorageFull, Refused
    """
    text, owner, add, remove = description_text(text), _owner(owner), tags_of(add), tags_of(remove)
    with folder.locked():
        return describe_held(folder, text=text, owner=owner, add=add, remove=remove, why=why, actor=actor)


def describe_held(
    folder: ModelFolder,
    *,
    text: str | None = None,
    owner: str | None = None,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
    why: str = "",
    actor: Actor | None = None,
) -> Description:
    """As `describe`, for a holder of the lock, and of what is seen to be right."""
    before = folder.description()
    gone, known = {tag.lower() for tag in remove}, {tag.lower() for tag in before.tags}
    tags = [tag for tag in before.tags if tag.lower() not in gone] + [tag for tag in add if tag.lower() not in known]
    if len(tags) > MOST_TAGS:
        raise InvalidInput(f"{folder.name} can't have {len(tags)} tags", f"it may have {MOST_TAGS}", "Remove some.")
    after = Description(
        text=before.text if text is None else text, tags=tags, owner=before.owner if owner is None else owner
    )
    if after == before:
        return before
    folder.write_description(after)
    said = (words_of(before), words_of(after))
    write_trail(folder, actor or here(), "described", folder.name, before=said[0], after=said[1], why=why)
    return after


def words_of(description: Description) -> str:
    """A description in a line: "Who leaves next month. Tags: credit, eu. Owner: ada."."""
    tags = f"Tags: {', '.join(description.tags)}" if description.tags else ""
    return sentences(description.text, tags, f"Owner: {description.owner}" if description.owner else "")


def tags_of(given: str | Iterable[str]) -> list[str]:
    """Tags, each once, as they are kept; raises `InvalidInput`."""
    found: dict[str, str] = {}
    for tag in [given] if isinstance(given, str) else given:
        kept = tag.strip() if isinstance(tag, str) else ""
        if not 0 < len(kept) <= LONGEST_TAG or "," in kept or not kept.isprintable():
            why = f"it may have up to {LONGEST_TAG} characters, on one line and without a comma"
            raise InvalidInput(f"A tag can't be {tag!r:.100}", why, "Choose one like 'credit'.")
        found.setdefault(kept.lower(), kept)
    return list(found.values())


def description_text(text: str | None) -> str | None:
    """What is said of a model, on one line; raises `InvalidInput`."""
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        raise InvalidInput("This can't be said of a model", f"it may be up to {LONGEST_TEXT} characters", "Say less.")
    return " ".join(text.split())


def _owner(owner: str | None) -> str | None:
    if owner is None:
        return None
    kept = owner.strip() if isinstance(owner, str) else None
    if kept is None or len(kept) > 100 or not kept.isprintable():
        raise InvalidInput(f"{owner!r:.100} can't own a model", "a name is up to 100 characters on one line", "")
    return kept
