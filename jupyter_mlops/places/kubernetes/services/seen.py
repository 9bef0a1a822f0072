"""What this machine has seen of a service's pods, for lists, which ask Kubernetes only."""

from __future__ import annotations

import contextlib

from ....core.errors import MlopsError
from ....core.service import ServiceState
from ....home.elsewhere import ElsewhereFolder, elsewhere_folder
from .stored import StoredService


def folder_of(entry: StoredService) -> ElsewhereFolder:
    """What is kept here of a service."""
    return elsewhere_folder(entry.uid, entry.ids.service)


def told_here(entry: StoredService) -> ServiceState:
    """What lists show of a service, with its alarm as of when somebody looked last. Reads a file."""
    state = entry.state()
    if not state.live:
        return state
    with contextlib.suppress(MlopsError):
        seen = folder_of(entry).seen()
        if seen.version == state.version:
            return state.model_copy(update={"alarm": seen.alarm})
    return state
