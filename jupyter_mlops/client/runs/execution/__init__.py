"""Drives runs: sends their tasks, takes what comes back, and keeps up with what was measured."""
