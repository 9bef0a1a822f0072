"""Clusters of pods. `backend.py` is the place, `runtime/` is what runs in the pods, `records/` what Kubernetes keeps."""
