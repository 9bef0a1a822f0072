"""Notebooks in a page with JupyterLab: made by a test, and run as a user runs them."""

from __future__ import annotations

from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page


def write_notebook(folder: Path, name: str, cells: list[str]) -> None:
    """Put a notebook with these code cells into `folder`."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, folder / name)


class Notebook:
    """The notebook in front."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cells = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell")

    def run(self, index: int, wait: bool = True) -> Locator:
        """Run a cell; returns its output, at once or when it is done."""
        self.page.evaluate(
            """([index, wait]) => {
                const { commands, shell } = window.jupyterapp;
                const notebook = shell.currentWidget.content;
                notebook.deselectAll();
                notebook.activeCellIndex = index;
                const done = commands.execute('notebook:run-cell').then(() => null);
                return wait ? done : null;
            }""",
            [index, wait],
        )
        return self.output(index)

    def output(self, index: int) -> Locator:
        """What stands under a cell."""
        return self.cells.nth(index).locator(".jp-Cell-outputArea")
