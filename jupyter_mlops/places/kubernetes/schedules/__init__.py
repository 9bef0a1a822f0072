"""Notebooks that Kubernetes runs by itself."""
