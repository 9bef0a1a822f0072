"""Runs, as the scheduler sees them."""
