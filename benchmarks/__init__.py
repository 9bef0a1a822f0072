"""Every figure that the README states, each with its peer in the same run: `make bench`."""
