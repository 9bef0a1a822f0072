"""The history of runs.

`history` reads the records that the clusters' controllers write. `recorder` has a kernel's records brought into MLflow,
and the server has those brought that are missing there. MLflow itself works in a process of its own, `sync`, and is
imported nowhere else: the import takes seconds, and nobody should have to wait for it.
"""
