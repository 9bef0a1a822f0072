"""What may be wanted of a service: of one that is there, each is its wish before, changed, with a name of its own."""

from __future__ import annotations

import difflib
import math
import secrets
import time
from collections.abc import Sequence
from typing import Any

from ..core.candidate import AB, SHADOW, STEPS, Candidate, Way
from ..core.errors import Conflict, InvalidInput, InvalidSpec
from ..core.expected import Expected
from ..core.model import ModelVersion
from ..core.service import Deployment, ServiceSpec
from ..core.words import first_of, percent


def renewed(spec: ServiceSpec, **changed: Any) -> ServiceSpec:
    """A wish with another name, and what else has changed."""
    return spec.model_copy(update={"revision": secrets.token_hex(6), **changed})


def with_candidate(
    spec: ServiceSpec,
    version: ModelVersion,
    way: Way,
    share: float | None = None,
    steps: Sequence[float] | None = None,
    private: Sequence[str] | None = None,
    expected: Expected | None = None,
) -> ServiceSpec:
    """Try a version beside the one that serves, in place of one that is tried already.

    Parameters
    ----------
    share : what it gets first; default: a canary's first step, half of the requests of an A/B test, all of a shadow.
    steps : of a canary; default: those of `STEPS` above its share.
    private : its features that are never logged; default: those of the version that serves.
    expected : of its answers, beside those of the version that serves.

    Raises
    ------
    Conflict : it is the one that serves.
    InvalidSpec : there are steps, and it is no canary.
    """
    if version.digest == spec.digest:
        raise Conflict(f"{version.name} can't be tried beside itself", "it is the version that serves", "")
    if steps is not None and way != "canary":
        raise InvalidSpec("Only a canary has steps", f"an {way} has one share" if way == "ab" else "", "Leave it out.")
    if share is None:
        share = (list(steps) if steps else list(STEPS))[0] if way == "canary" else AB if way == "ab" else SHADOW
    after = [each for each in steps or STEPS if each > share]
    candidate = Candidate(
        version=version.number,
        digest=version.digest,
        way=way,
        share=share,
        steps=[share, *after] if way == "canary" else [],
        salt=secrets.token_hex(6),
        created=time.time(),
        private=list(spec.private if private is None else private),
        expected=expected,
    )
    return renewed(spec, candidate=candidate)


def with_share(spec: ServiceSpec, share: float | None = None, paused: bool | None = None) -> ServiceSpec:
    """Give the candidate another share, and have it wait there, or go on. Raises `InvalidSpec` where there is nothing
    that could wait."""
    candidate = tried(spec)
    if paused is not None and candidate.way != "canary":
        why = f"{split_words(spec.model, candidate)}, stays at its share anyway"
        raise InvalidSpec("Only a canary waits, or goes on", why, "promote or rollback ends it.")
    if share is not None and paused is None and candidate.way == "canary":
        paused = True  # whoever sets it by hand wants it there
    changed: dict[str, Any] = {}
    if share is not None and share != candidate.share:
        changed = {"share": share, "turn": candidate.turn + 1}
    return renewed(
        spec,
        candidate=candidate.model_copy(update={**changed, "paused": candidate.paused if paused is None else paused}),
    )


def promoted(spec: ServiceSpec) -> ServiceSpec:
    """Have the candidate be the version that serves."""
    candidate = tried(spec)
    return renewed(
        spec,
        version=candidate.version,
        digest=candidate.digest,
        private=candidate.private,
        previous=spec.version,
        chosen=time.time(),
        candidate=None,
    )


def without_candidate(spec: ServiceSpec) -> ServiceSpec:
    """Take the candidate back."""
    tried(spec)
    return renewed(spec, candidate=None)


def tried(spec: ServiceSpec) -> Candidate:
    """The candidate; raises `Conflict` where there is none."""
    if spec.candidate is None:
        raise Conflict(
            f"No version is tried beside {spec.version_name}",
            "there is none, or somebody has decided meanwhile",
            f"Try one: mlops.deploy('{spec.model}@…', canary=True).",
        )
    return spec.candidate


def split_words(model: str, candidate: Candidate) -> str:
    """As people say it: "churn@4 as canary, 5 %"."""
    way = {"canary": "canary", "ab": "A/B test", "shadow": "shadow"}[candidate.way]
    return f"{model}@{candidate.version} as {way}, {percent(candidate.share)}"


def way_of(canary: bool | float, ab: bool | float, shadow: bool | float) -> dict[str, Any]:
    """How a version is to be tried, and its share, as a deployment has them; raises `InvalidInput`."""
    asked = {way: share for way, share in (("canary", canary), ("ab", ab), ("shadow", shadow)) if share is not False}
    if len(asked) > 1:
        raise InvalidInput(f"A version is tried in one way, not as {' and '.join(asked)}", "", "Leave one out.")
    way, share = next(iter(asked.items()), ("", False))
    return {} if not asked else {"way": way, "share": None if share is True else share}


def check_not_logged(asked: Deployment, place: str) -> None:
    """Raise `InvalidSpec` where somebody counts on a log that there won't be."""
    if asked.log or asked.log_rows is not None or asked.keep is not None:
        why = f"requests to services of the place {place!r} aren't logged"
        raise InvalidSpec("Nothing can be kept of requests", why, "Leave log, log_rows and keep out.")


def check_private(version: ModelVersion, private: Sequence[str], served: str) -> None:
    """Raise `InvalidInput` where a version has no such feature: one that is misspelt would be logged, and so would one
    that has another name than in the version `served` before."""
    signature = version.signature
    known = [column.name for column in signature.columns]
    if signature.kind == "array":
        known = [str(number) for number in range(math.prod(signature.shape) if len(signature.shape) < 2 else 0)]
    for name in private:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            todo = f"Did you mean {near[0]!r}?" if near else f"There are: {first_of(known, 5)}." if known else ""
            if served:
                todo = f"{todo} Say which are private now: private=[…].".strip()
            why = f"it is private of {served}" if served else ""
            raise InvalidInput(f"{version.name} has no feature {name!r} that could be private", why, todo)
