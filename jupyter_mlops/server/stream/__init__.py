"""The stream of changes to browsers."""
