"""A cell or a function becomes work on a cluster."""
