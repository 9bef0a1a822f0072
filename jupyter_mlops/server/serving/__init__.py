"""Services over the server's routes."""
