"""In which contexts and namespaces this user's clusters may be."""

from __future__ import annotations

import json
from typing import NamedTuple

from .... import home
from ....core.profile import Profile
from ... import profiles
from ..options import options_of

#: The file of the home folder that remembers where clusters were started, beyond what profiles name.
_FILE = "kubernetes.json"


class Where(NamedTuple):
    """A context of the kubeconfig and a namespace; empty: the current ones."""

    context: str = ""
    namespace: str = ""


def where(profile: Profile) -> Where:
    """Where clusters of `profile` are."""
    options = options_of(profile)
    return Where(options.context, options.namespace)


def everywhere() -> list[Where]:
    """Where clusters may be: what profiles name, and where some were started."""
    named = [where(profile) for profile in profiles.all_profiles() if profile.place == "kubernetes"]
    return list(dict.fromkeys([*named, *_started()]))


def remember(place: Where) -> None:
    """Look there from now on, in every process of this user."""
    if not was_started_in(place):
        home.write(home.home() / _FILE, json.dumps([*_started(), place]))


def was_started_in(place: Where) -> bool:
    """Whether a cluster was ever started there from here."""
    return place in _started()


def _started() -> list[Where]:
    try:
        return [Where(*place) for place in json.loads((home.home() / _FILE).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):  # none so far, or not readable: profiles still name theirs
        return []
