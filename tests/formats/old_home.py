"""A home folder that 0.1.0 wrote: `home-0.1.0.tar.gz`.

Two clusters were made of the saved profile `mine`, with a Jupyter server beside them: `stopped`, which a user stopped,
and `killed`, whose scheduler was killed and whose end nobody had written yet. Six runs: functions, maps, one with an
item that raised, one detached, and one that was lost with `killed`. Names of people, machines and folders were replaced
by others of the same length; keys and logs were left out.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

FILE = Path(__file__).parent / "home-0.1.0.tar.gz"


def unpack(home: Path) -> None:
    """Make the folder `home` of it, with the times that its files had."""
    with tarfile.open(FILE) as archive:
        archive.extractall(home, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(home)
