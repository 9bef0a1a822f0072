"""Gangs: runs whose processes start together, talk to each other, and end together."""
