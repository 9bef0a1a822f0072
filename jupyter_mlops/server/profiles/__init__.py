"""Profiles: the named ways to make a cluster."""
