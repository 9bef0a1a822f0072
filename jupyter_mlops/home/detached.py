"""Programs that outlive who starts them: controllers, routers, the clock, retrainings.

No third-party import: nobody who starts one waits for more than it needs.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO


def start_detached(
    module: str,
    *words: str,
    folder: Path,
    log: int | IO[bytes],
    environment: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    files: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Run a module as a program that outlives this process. Raises OSError.

    Parameters
    ----------
    folder : where it is. Not the user's folder: its modules would hide those of the same name.
    log : the file that it prints to.
    environment : default: this process's.
    files : that it has open, too.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        stdin=stdin,
        stdout=log,
        stderr=log,
        cwd=folder,
        env=environment,
        start_new_session=True,
        pass_fds=files,
    )


def reap(process: subprocess.Popen[bytes], name: str) -> None:
    """Have a program leave no zombie when it ends before this process."""
    threading.Thread(target=process.wait, name=f"wait-{name}", daemon=True).start()
