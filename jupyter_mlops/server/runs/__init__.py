"""Runs: their history, their journals, cancelling and running again."""
