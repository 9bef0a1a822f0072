"""The history of runs.

`history` reads the records that the clusters' controllers write; `recorder` has them brought into MLflow from a
kernel, the server has what is missing brought. MLflow itself works in a process of its own, `sync`, and is imported
nowhere else: it takes seconds, and nobody is to wait for it.
"""
