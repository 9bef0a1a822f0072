"""Where pip of an environment gets packages from.

A package of a private index has a name that anybody can take on the public one. So whoever has pip install packages of
this environment elsewhere has it ask where they came from, or doesn't have it install them.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys

#: pip's settings that say where it looks, and the variables of the environment that set them.
_SETTINGS = {
    "index-url": "PIP_INDEX_URL",
    "extra-index-url": "PIP_EXTRA_INDEX_URL",
    "find-links": "PIP_FIND_LINKS",
    "no-index": "PIP_NO_INDEX",
    "trusted-host": "PIP_TRUSTED_HOST",
}

#: uv's own variables, in environments that it made.
_OF_UV = {
    "UV_DEFAULT_INDEX": "PIP_INDEX_URL",
    "UV_INDEX_URL": "PIP_INDEX_URL",
    "UV_INDEX": "PIP_EXTRA_INDEX_URL",
    "UV_EXTRA_INDEX_URL": "PIP_EXTRA_INDEX_URL",
}

#: Where `pip config list` found a setting; the later ones win.
_ORDER = ("global", "install", ":env:")

_LINE = re.compile(r"(?P<section>global|install|:env:)\.(?P<name>[\w-]+)=(?P<value>.*)")


@functools.lru_cache(maxsize=8)
def package_index(python: str = sys.executable) -> dict[str, str]:
    """pip's settings of where it looks, as variables of its environment; empty where it asks the public index alone.

    They may hold a login. Takes a second, once.
    """
    found = {known: os.environ[variable] for variable, known in _OF_UV.items() if os.environ.get(variable)}
    settings: dict[tuple[int, str], str] = {}
    for line in _asked(python):
        match = _LINE.fullmatch(line)
        if match and match["name"] in _SETTINGS:
            value = " ".join(str(ast.literal_eval(match["value"])).split())
            settings[_ORDER.index(match["section"]), _SETTINGS[match["name"]]] = value
    return found | {name: value for (_, name), value in sorted(settings.items()) if value}


def is_public(index: dict[str, str]) -> bool:
    """Whether everybody may read these settings, and ask these indexes from everywhere: no logins, no folders."""
    places = " ".join(index.get(name, "") for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"))
    return all(re.fullmatch(r"https?://[^@]*", place) for place in places.split())


def _asked(python: str) -> list[str]:
    command = [python, "-m", "pip", "config", "list"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):  # the environment has no pip, and so no settings of it
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
