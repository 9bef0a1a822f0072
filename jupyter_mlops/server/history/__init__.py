"""What remains of clusters and runs, in SQLite."""
