"""The one place of the version; `labextension/package.json` is checked against it."""

__version__ = "0.1.0"
