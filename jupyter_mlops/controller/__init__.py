"""What runs inside the Dask scheduler's process and keeps a cluster at what its spec says.

`Controller` is composed by a place's scheduler program (`places/*/`), which hands it a `Pool`. Everybody else speaks
to it through a `Link`, over Dask's own comms.
"""
