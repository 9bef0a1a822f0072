"""Dask clusters, runs and their cost, from a notebook in JupyterLab."""

from ._version import __version__

__all__ = ["__version__"]
