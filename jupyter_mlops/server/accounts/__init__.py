"""Accounts: money that several clusters spend together."""
