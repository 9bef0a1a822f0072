"""The user's settings: one file in the home folder."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from .. import home
from ..core.errors import Unreadable
from ..core.settings import Settings


def load() -> Settings:
    """The settings; the defaults when there are none, or, with a warning, when the file can't be read.

    Prices of instance types have their currencies, so that these stay theirs when the user goes over to another.
    """
    try:
        return home.read(Settings, _file()).pinned()
    except FileNotFoundError:
        return Settings()
    except Unreadable as error:
        warnings.warn(f"The settings are ignored: {error}", stacklevel=2)
        return Settings()


def save(settings: Settings) -> None:
    """Keep the settings. What a newer version has added to the file stays in it.

    Raises
    ------
    Unreadable : the file that is there can't be read, and is left as it is.
    StorageFull, Refused : the file can't be written.
    """
    path = _file()
    added = {}
    if path.exists():
        home.read(Settings, path)
        stored = json.loads(path.read_text(encoding="utf-8"))
        added = {name: value for name, value in stored.items() if name not in Settings.model_fields}
    home.write(path, json.dumps({**added, **settings.model_dump(mode="json")}, indent=2))


def _file() -> Path:
    return home.home() / "settings.json"
