"""Clusters of pods. `backend.py` is the place; `scheduler.py` and `worker.py` are what runs in the pods."""
