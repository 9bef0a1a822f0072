"""Clusters: listing, watching, starting, scaling and stopping them."""
