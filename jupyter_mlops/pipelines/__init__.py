"""Pipelines: the steps of a notebook, what is kept of them, and in which order they depend on each other."""
