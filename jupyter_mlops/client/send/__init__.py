"""What travels to the workers with a run: code, variables and modules, as bytes."""
