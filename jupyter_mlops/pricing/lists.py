"""The user's price lists: files in SkyPilot's format, kept in the home folder."""

from __future__ import annotations

import datetime
import os
import warnings
from functools import lru_cache
from pathlib import Path

from .. import home
from ..core.errors import InvalidInput, MlopsError, UnknownPriceList
from .skypilot import SkyPilot


def folder() -> Path:
    """The folder in which the lists are kept."""
    return home.private(home.home() / "prices")


def bring(file: Path) -> SkyPilot:
    """Check `file` line by line, and keep it under its own name, in the place of an older one of that name.

    Raises
    ------
    InvalidInput : it can't be read, or isn't a price list; names the line.
    StorageFull, Refused : it can't be kept.
    """
    text, date = _text(file), file.stat().st_mtime
    found = _read(file, text)
    kept = folder() / f"{file.stem}.csv"
    home.write(kept, text)
    os.utime(kept, (date, date))  # the prices are as old as the file was
    return found


def lists() -> list[SkyPilot]:
    """The lists that the user imported, by name. A list whose file can't be read any more is left out, with a
    warning."""
    found = []
    for file in sorted(folder().glob("*.csv")):
        try:
            found.append(_kept(file, file.stat().st_ctime_ns))
        except (MlopsError, OSError) as error:
            warnings.warn(f"The prices in {file} are ignored: {error}", stacklevel=2)
    return found


def remove(name: str) -> None:
    """Forget the list of that name; raises `UnknownPriceList`."""
    names = [file.name for file in folder().glob("*.csv")]
    if name not in names:
        raise UnknownPriceList.named(name, names)
    (folder() / name).unlink()


@lru_cache(maxsize=32)
def _kept(file: Path, changed: int) -> SkyPilot:
    """A list as it is since it was `changed`: estimates ask for it time and again, and some have 30,000 lines."""
    return _read(file, _text(file))


def _read(file: Path, text: str) -> SkyPilot:
    date = datetime.datetime.fromtimestamp(file.stat().st_mtime, tz=datetime.timezone.utc).date().isoformat()
    return SkyPilot.read(text.splitlines(), f"{file.stem}.csv", date)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} can't be read", str(error), "Name a CSV file.") from None
