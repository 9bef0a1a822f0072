"""Foreign clusters: dask-kubernetes' `KubeCluster`, `kubectl apply` of a DaskCluster, Helm's chart of Dask.

They have no controller of ours. What they are is read from Kubernetes and, while somebody looks, from their scheduler;
they are changed as their own tools change them. Where nobody looks, nothing of ours runs.
"""
