"""The user's settings: one file in the home folder."""

from __future__ import annotations

import warnings

from .. import home
from ..core.base import read_record
from ..core.errors import Unreadable
from ..core.settings import Settings


def load() -> Settings:
    """The settings; the defaults when there are none, or, with a warning, when the file is broken."""
    path = home.home() / "settings.json"
    try:
        return read_record(Settings, path.read_bytes(), "file")
    except FileNotFoundError:
        return Settings()
    except Unreadable as error:
        warnings.warn(f"The settings in {path} are ignored: {error}", stacklevel=2)
        return Settings()


def save(settings: Settings) -> None:
    """Keep the settings.

    Raises
    ------
    StorageFull, Refused : the file can't be written.
    """
    home.write(home.home() / "settings.json", settings.model_dump_json(indent=2))
