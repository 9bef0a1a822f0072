"""What clusters and runs cost over time: months, exports, metrics."""
