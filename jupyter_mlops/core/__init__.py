"""The nouns of the platform and their arithmetic.

No I/O, no Dask, no Jupyter: everything here is a pydantic model or a pure function, so that the controller, the
kernel, the server and (through JSON Schema) the browser agree on one definition.
"""
