"""Foreign clusters: dask-kubernetes' `KubeCluster`, `kubectl apply` of a DaskCluster, Helm's chart of Dask.

Foreign clusters have no controller of ours. Their state is read from Kubernetes and, while somebody looks, from their
scheduler; they are changed in the way in which their own tools do it. While nobody looks, nothing of ours runs.
"""
