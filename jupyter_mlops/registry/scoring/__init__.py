"""Scoring: a version's answers to all rows of a table or of files, by a map over the cluster, as files of their own."""
