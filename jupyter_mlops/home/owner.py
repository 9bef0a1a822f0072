"""Whose clusters and runs are one's own."""

from __future__ import annotations

import getpass
import os


def me() -> str:
    """Who asks: the JupyterHub user where there is one, else the user of the machine."""
    hub = os.environ.get("JUPYTERHUB_USER")
    if hub:
        return hub
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
