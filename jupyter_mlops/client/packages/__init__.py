"""The packages of the kernel, compared with those of the workers, and brought to them."""
