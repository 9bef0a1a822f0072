"""What Kubernetes keeps of clusters of ours: the record that owns everything, and what outlives it."""
