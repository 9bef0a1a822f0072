"""A real JupyterLab and a real browser, for the tests in this folder."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

#: Seconds that anything may take on a slow, shared machine before a test gives up.
PATIENCE = float(os.environ.get("JUPYTER_MLOPS_TESTS_PATIENCE", 150))
expect.set_options(timeout=PATIENCE * 1000)


class Lab:
    """A JupyterLab server in a process of its own, with a home of its own; it can be killed and started again.

    Parameters
    ----------
    folder : all of its folders are in there.
    environment : variables that it has besides those of this process.
    port : the one that it listens on; any that is free unless it matters.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None, port: int | None = None) -> None:
        self.folder = folder
        self.work = folder / "work"
        if NOTEBOOKS.exists():
            shutil.copytree(NOTEBOOKS, self.work, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        else:
            self.work.mkdir()
        self.token = secrets.token_hex(16)
        self.port = port or free_port()
        settings = folder / "settings"
        quiet = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        quiet.parent.mkdir(parents=True)
        quiet.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
        page = folder / "config" / "labconfig" / "page_config.json"
        page.parent.mkdir(parents=True)
        page.write_text(json.dumps({"buildCheck": False}))  # it would start Node for each page that is opened
        self.environment = {
            **os.environ,
            "JUPYTER_MLOPS_HOME": str(folder / "home"),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        self.log = folder / "lab.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "jupyterlab",
                    "--no-browser",
                    "--allow-root",
                    "--LabApp.expose_app_in_browser=True",
                    f"--ServerApp.port={self.port}",
                    "--ServerApp.port_retries=0",
                    f"--IdentityProvider.token={self.token}",
                    f"--ServerApp.root_dir={self.work}",
                ],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"JupyterLab didn't start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """kill -9 of the server alone; kernels and clusters are not touched."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End the server and its kernels, and stop its clusters."""
        script = (
            "import asyncio\nfrom jupyter_mlops.client.clusters.listing import list_clusters\n"
            "from jupyter_mlops import places\n"
            "async def main():\n"
            "    for state in (await list_clusters()).clusters:\n"
            "        if state.ended is None: await places.get(state.place).stop(state.id, force=True)\n"
            "asyncio.run(main())"
        )
        try:
            subprocess.run([sys.executable, "-c", script], env=self.environment, check=True, timeout=PATIENCE)
        finally:  # the next one gets its port
            self._end()

    def api(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """The answer of one of the extension's routes."""
        request = urllib.request.Request(
            f"{self.url}/jupyter-mlops/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")

    def _end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api?token={self.token}", timeout=5):
                return True
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError):
            return False


@contextmanager
def opened(folder: Path, environment: dict[str, str] | None = None, port: int | None = None) -> Iterator[Lab]:
    """A running JupyterLab, ended with its clusters afterwards; the parameters are those of `Lab`."""
    lab = Lab(folder, environment, port)
    lab.start()
    try:
        yield lab
    finally:
        lab.close()


@contextmanager
def chromium(profile: Path) -> Iterator[BrowserContext]:
    """The system's browser, else the one of Playwright's installer, with its first, empty page.

    Parameters
    ----------
    profile : the folder in which it keeps the code that it compiled: a JupyterLab that it knows opens for half of the
        CPU. It knows it by its address.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=found,
            args=flags,
            viewport={"width": 1440, "height": 900},
            timeout=PATIENCE * 1000,
        )
        yield context
        context.close()


def free_port() -> int:
    """A port that is free, and that the system gives nobody who asks for any: kernels and workers do so all the time,
    also while the server that is to have this one is starting, or away for a moment."""
    while True:
        port = 12_000 + secrets.randbelow(8_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def open_lab(page: Page, lab: Lab, path: str = "") -> None:
    """Open JupyterLab, or a notebook in it, and wait until it is usable."""
    workspace = secrets.token_hex(4)  # a new one: `?reset` loads the page twice, and Lab complains when that's quick
    page.goto(f"{lab.url}/lab/workspaces/{workspace}{'/tree/' + path if path else ''}?token={lab.token}")
    page.wait_for_function("window.jupyterapp && window.jupyterapp.restored", timeout=PATIENCE * 1000)
    page.evaluate("window.jupyterapp.restored")
    if not path:
        page.locator(".jp-Launcher").wait_for()  # it comes late, and takes the focus
    else:
        # Not by `wait_for_function`: it takes the promise of an async function for its answer.
        page.evaluate(
            """async patience => {
                for (const end = Date.now() + patience; Date.now() < end; ) {
                    const context = window.jupyterapp.shell.currentWidget?.sessionContext;
                    await context?.ready;
                    const kernel = context?.session?.kernel;
                    if (kernel) {
                        await kernel.info;
                        return;
                    }
                    await new Promise(resolve => setTimeout(resolve, 50));
                }
                throw new Error('The notebook has no kernel');
            }""",
            PATIENCE * 1000,
        )


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that no page shows."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it didn't come true"
        time.sleep(0.1)


def cluster_of(lab: Lab, profile: str, name: str, workers: int | None = None) -> None:
    """A running cluster, made without the browser."""
    lab.api("clusters", "POST", {"profile": profile, "name": name, "workers": workers})

    def ready() -> bool:
        for state in lab.api("clusters"):
            wanted = sum(group["wanted"] for group in state["groups"])
            if state["name"] == name and state["phase"] == "running" and state["counts"]["idle"] == wanted > 0:
                return True
        return False

    until(ready)


def command(page: Page, name: str, args: dict[str, Any] | None = None) -> None:
    """Execute a command of JupyterLab."""
    page.evaluate(
        "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)", [name, args or {}]
    )
