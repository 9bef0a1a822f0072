"""The panel in a real notebook: live while a cell runs, moved with the keyboard, closed without a trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .accessible import assert_accessible
from .lab import Lab, cluster_of, command, open_lab, until
from .notebook import Notebook, write_notebook

CELLS = [
    "import jupyter_mlops as mlops\n\ndef square(number):\n    return number * number",
    "mlops.panel()",
    "import time, pathlib\nwhile not pathlib.Path('SEEN').exists():\n    time.sleep(0.1)",
    # The panel says that the run is done, and then fetches what it gave.
    "import time\nwhile 'squares' not in globals():\n    time.sleep(0.1)\nsquares[:3]",
    "mlops.panel().close()",
]


def test_the_panel(page: Page, lab: Lab, picture: Callable[[str], Path]) -> None:
    seen = lab.work / "seen"
    write_notebook(lab.work, "panel.ipynb", [cell.replace("SEEN", str(seen)) for cell in CELLS])
    cluster_of(lab, "this-machine", "flights", workers=1)
    open_lab(page, lab, "panel.ipynb")
    notebook = Notebook(page)
    notebook.run(0)
    panel = notebook.run(1)
    expect(panel).to_contain_text("1 worker")

    workers = panel.get_by_role("spinbutton", name="Workers")
    expect(workers).to_have_value("1")  # it comes after the words
    workers.focus()
    workers.press("ArrowUp")
    expect(panel).to_contain_text("2 workers")
    until(lambda: lab.api("clusters/flights")["groups"][0]["wanted"] == 2)

    panel.get_by_text("Run something").click()
    panel.get_by_label("Function").fill("square")
    panel.get_by_label("Items").fill("range(500)")
    panel.get_by_label("Result in").fill("squares")
    panel.get_by_role("button", name="Send").click()
    expect(panel).to_contain_text("square done in")
    expect(notebook.run(3)).to_contain_text("[0, 1, 4]")
    panel.get_by_text("as many as the work needs").click()
    expect(panel.get_by_role("spinbutton", name="at most")).to_be_visible()
    assert_accessible(page, ".jp-mlops-panel")
    picture("panel")

    notebook.run(2, wait=False)
    expect(panel).to_contain_text("clicks are answered when it is done")
    seen.touch()
    expect(panel).not_to_contain_text("clicks are answered when it is done")

    panel.get_by_role("button", name="Stop…").click()
    expect(panel).to_contain_text("Stop flights?")
    panel.get_by_role("button", name="Stop it").click()
    expect(panel).to_contain_text("stopped by you")
    notebook.run(4)
    expect(panel.get_by_role("button")).to_have_count(0)

    # Another kernel doesn't know the panel, whose cell says so.
    expect(notebook.run(1)).to_contain_text("New from")
    command(page, "docmanager:save")
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.reload()
    expect(notebook.output(1)).to_contain_text("Run this cell again")
    expect(notebook.output(1)).not_to_contain_text("Error displaying widget")
    picture("panel-lost")
