"""Executes runs from the kernel: sends tasks, sizes batches of items by measuring, and collects results."""
