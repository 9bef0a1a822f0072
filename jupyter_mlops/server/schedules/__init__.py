"""Notebooks that run by themselves."""
