"""Dask's dashboards, behind the login."""
