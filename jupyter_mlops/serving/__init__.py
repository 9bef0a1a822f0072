"""Serving: a version of a model answers at a stable address.

A *router* is the service: it has the address, knows the callers, and makes what is wanted so. Its *replicas* are
processes that load the version and answer. `replica.py` and what it imports know numpy and the model; the router never
does, and nothing is unpickled in it.
"""
