"""`mlops.panel()`: clusters, scaling and runs from plain ipywidgets, for JupyterLab, Notebook 7, VS Code and Voilà."""

from __future__ import annotations

from .panel import Panel, panel

__all__ = ["Panel", "panel"]
