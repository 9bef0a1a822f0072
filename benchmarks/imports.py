"""What the extension adds to the start of a notebook and of the server."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from .measure import Result, bounded

_NOTEBOOK = """
import time
from IPython.core.interactiveshell import InteractiveShell
import ipykernel.kernelapp, ipywidgets
shell = InteractiveShell.instance()
started = time.perf_counter()
shell.run_line_magic("load_ext", "jupyter_mlops")
print(time.perf_counter() - started)
"""

_SERVER = """
import time
import jupyter_server.serverapp, jupyterlab.labapp
app = jupyter_server.serverapp.ServerApp()
app.initialize([{argv}], find_extensions=False)
started = time.perf_counter()
import jupyter_mlops
app.extension_manager.add_extension("jupyter_mlops", enabled=True)
app.extension_manager.link_extension("jupyter_mlops")
app.extension_manager.load_extension("jupyter_mlops")
print(time.perf_counter() - started)
"""


def run() -> Iterator[Result]:
    """Seconds to load, each in new processes."""
    argv = '"--no-browser", "--allow-root", "--port=0"'
    yield bounded("`%load_ext jupyter_mlops`", "ms", median(_NOTEBOOK), 150)
    yield bounded("loading the server extension", "ms", median(_SERVER.format(argv=argv)), 100)


def median(program: str, times: int = 5) -> float:
    """Milliseconds that `program` prints (in seconds, on its last line), the median of several processes."""
    seconds = []
    for _ in range(times):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        seconds.append(float(done.stdout.strip().splitlines()[-1]))
    return statistics.median(seconds) * 1000
