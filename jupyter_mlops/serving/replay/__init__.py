"""Replay: what a service was asked, asked again of another version on a cluster, before that sees traffic."""
