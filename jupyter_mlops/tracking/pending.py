"""Which records are not yet in MLflow. Cheap: neither MLflow nor pydantic is imported.

Each run's folder has a marker beside the record. The marker says how much of the run is in MLflow, and where.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, fields

from .. import home
from ..home.models import model_folders
from ..home.runs import RunFolder, run_folders

#: Phases that a run doesn't leave; as `core.run.FINAL`, which would import pydantic.
_FINAL = frozenset({"done", "failed", "cancelled", "lost"})

#: Seconds that the kernel which made a record has to bring it to MLflow itself.
GRACE = 15.0


@dataclass
class Marker:
    """How much of a run is in MLflow: the tracking URI, MLflow's own run, the last line of the journal, the bytes of
    its points, the number of the last line of these that was copied from elsewhere, the bytes of what is known of its
    trials, the MLflow run of each trial, and whether the end is there."""

    uri: str = ""
    run: str = ""
    journal: int = 0
    points: int = 0
    copied: int = 0
    trials: int = 0
    nested: dict[str, str] = field(default_factory=dict)
    ended: bool = False


def read(folder: RunFolder) -> Marker:
    """The marker in a run's folder; an empty one when there is none, or none that can be read: MLflow is asked then."""
    try:
        kept = json.loads(folder.marker.read_bytes())
        return Marker(**{each.name: kept[each.name] for each in fields(Marker) if each.name in kept})
    except (OSError, ValueError, TypeError):
        return Marker()


def write(folder: RunFolder, marker: Marker) -> None:
    """Keep the marker; raises `StorageFull`, `Refused`."""
    home.write(folder.marker, json.dumps(asdict(marker)))


def unsynced() -> list[str]:
    """Ids of runs whose start or end is not in MLflow, oldest first."""
    now = time.time()
    found = []
    for folder in run_folders():
        stamp = folder.stamp()
        if stamp is not None and now - stamp[0] / 1e9 >= GRACE and _is_unsynced(folder):
            found.append((stamp, folder.run))
    return [run for _, run in sorted(found)]


def unsynced_models() -> list[str]:
    """Names of models of which MLflow may not have all, since they have changed after they were brought there."""
    found = []
    for folder in model_folders():
        try:
            known = json.loads(folder.marker.read_bytes())["stamp"]
        except (OSError, ValueError, KeyError, TypeError):
            known = None
        if known != list(folder.stamp()) and folder.numbers():
            found.append(folder.name)
    return found


def _is_unsynced(folder: RunFolder) -> bool:
    marker = read(folder)
    if marker.ended:
        return False
    try:
        phase = json.loads(folder.record_file.read_bytes())["phase"]
    except (OSError, ValueError, KeyError, TypeError):  # nothing of it can be brought to MLflow
        return False
    return not marker.run or phase in _FINAL
