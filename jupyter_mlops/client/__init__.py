"""What every window shares: clusters, and the runs on them."""
