"""Speaking with Kubernetes: requests, watches, the login of a kubeconfig, and asking for no more than it takes."""
