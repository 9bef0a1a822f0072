"""Sweeps: one objective, tried with many settings on a cluster."""
