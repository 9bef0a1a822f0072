"""Models in MLflow's registry: a view of those in the home folder, and those that others have registered there.

Blocking, slow at first use: only for the process of `sync.py`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .. import home
from ..core.errors import Unreadable
from ..core.model import ModelVersion
from ..home.models import ModelFolder, is_model_name, model_folders, models_dir
from ..home.runs import run_folder
from . import pending

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Tags of a version that is ours: its digest, by which it is found again, and its number.
DIGEST_TAG, NUMBER_TAG = "mlops.digest", "mlops.version"

#: The alias of a model's champion, as in MLflow's own examples.
CHAMPION = "champion"

#: Registered models that are asked for.
_MOST = 1000

_TAG, _DESCRIPTION = 5000, 5000


def sync_models(client: MlflowClient, uri: str) -> None:
    """Register the versions that MLflow lacks, set the champions' alias, and note what others have registered.

    Idempotent. Raises what MLflow raises, and `StorageFull`, `Refused`.
    """
    with home.locked(models_dir()):
        there: dict[str, list[Any]] = {}
        for model in client.search_registered_models(max_results=_MOST):
            there[model.name] = list(client.search_model_versions(f"name = '{_quoted(model.name)}'"))
        for name in there:
            if is_model_name(name):
                _take_in(ModelFolder(models_dir() / name), there[name])
        for folder in model_folders():
            _bring(client, folder, there.get(folder.name, []), uri)


def _bring(client: MlflowClient, folder: ModelFolder, known: list[Any], uri: str) -> None:
    """Have MLflow say of a model what its folder says."""
    stamp = folder.stamp()
    ours = {version.tags.get(DIGEST_TAG, ""): str(version.version) for version in known}
    numbers: dict[int, str] = {}
    for number in folder.numbers():
        try:
            version = folder.version(number).record()
        except (FileNotFoundError, Unreadable):
            continue
        if version.digest not in ours:
            if not known and not numbers and not _is_registered(client, folder.name):
                client.create_registered_model(folder.name)
            ours[version.digest] = _register(client, folder, version, uri)
        numbers[number] = ours[version.digest]
    try:
        champion = numbers.get(folder.aliases().champion or 0)
    except Unreadable:
        champion = None
    if champion is not None and str(_alias(client, folder.name)) != champion:
        client.set_registered_model_alias(folder.name, CHAMPION, champion)
    home.write(folder.marker, json.dumps({"uri": uri, "stamp": list(stamp)}))


def _register(client: MlflowClient, folder: ModelFolder, version: ModelVersion, uri: str) -> str:
    tags = {
        DIGEST_TAG: version.digest,
        NUMBER_TAG: str(version.number),
        "mlops.owner": version.owner,
        "mlops.run": version.made.run,
        "mlops.notebook": version.made.notebook,
        **{f"metric.{name}": f"{each.value:.6g}" for name, each in version.metrics.items()},
    }
    made = client.create_model_version(
        folder.name,
        source=folder.version(version.number).artifact.as_uri(),
        run_id=_run_in(version.made.run, uri),
        tags={name: value[:_TAG] for name, value in tags.items() if value},
        description=(version.note or version.name)[:_DESCRIPTION],
    )
    return str(made.version)


def _run_in(run: str, uri: str) -> str | None:
    """MLflow's own id of the run that made a version, if the run is there."""
    if not run:
        return None
    marker = pending.read(run_folder(run))
    return marker.run or None if marker.uri == uri else None


def _take_in(folder: ModelFolder, known: list[Any]) -> None:
    """Note the versions that others have registered under the model's name."""
    foreign = [
        ModelVersion(
            model=folder.name,
            number=int(version.version),
            created=version.creation_timestamp / 1000,
            owner=version.user_id or "",
            flavor="MLflow",
            note=version.description or "",
            registered=str(version.source),
        )
        for version in known
        if DIGEST_TAG not in version.tags
    ]
    foreign.sort(key=lambda version: version.number, reverse=True)
    if foreign != folder.registered():
        folder.write_registered(foreign)


def _is_registered(client: MlflowClient, name: str) -> bool:
    return bool(client.search_registered_models(f"name = '{_quoted(name)}'"))


def _alias(client: MlflowClient, name: str) -> str:
    return str(client.get_registered_model(name).aliases.get(CHAMPION, ""))


def _quoted(name: str) -> str:
    return name.replace("'", "''")
