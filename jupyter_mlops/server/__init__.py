"""The Jupyter server extension: REST and a stream of changes for browsers.

It keeps no truth: clusters are found in their places, and their controllers are asked. `app.py` is what Jupyter loads,
`services.py` composes the managers at the first request, `errors.py` maps errors to statuses.
"""
