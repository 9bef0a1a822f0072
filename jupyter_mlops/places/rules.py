"""The administrator's rules: `jupyter-mlops/rules.json` in Jupyter's config folders. All that are there hold."""

from __future__ import annotations

import json
from pathlib import Path

from ..core.base import read_input
from ..core.errors import InvalidSpec, Unavailable
from ..core.rules import Rules


def load() -> list[Rules]:
    """The rules, of the folder that matters most first.

    Raises
    ------
    Unavailable : a file can't be read, or isn't valid. It is no reason to go on without it.
    """
    from jupyter_core.paths import jupyter_config_path

    found = [_read(Path(folder) / "jupyter-mlops" / "rules.json") for folder in jupyter_config_path()]
    return [rules for rules in found if rules is not None]


def _read(path: Path) -> Rules | None:
    try:
        return read_input(Rules, json.loads(path.read_text(encoding="utf-8")), "file of rules")
    except (FileNotFoundError, NotADirectoryError):  # as in most folders
        return None
    except InvalidSpec as error:
        why = error.why
    except PermissionError as error:
        if not _seen(path):  # the folder is closed to us, and another user's
            return None
        why = str(error)
    except (OSError, ValueError) as error:
        why = str(error)
    raise Unavailable(
        f"The administrator's rules in {path} can't be read", why, "Repair that file; no cluster starts without them."
    )


def _seen(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True
