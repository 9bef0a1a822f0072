"""Clusters of pods. `backend.py` is the place, `runtime/` runs in the pods, `records/` is what Kubernetes keeps."""
