"""The workers: those there are, those that are wanted, and the way from the ones to the others."""
