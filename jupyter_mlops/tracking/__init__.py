"""The history of runs.

`history` reads the records that the clusters' controllers write, `recorder` brings them into MLflow from a kernel,
`sync` from a process of the server's. MLflow takes seconds to import and to make its tables, so that nobody waits for
it: it is imported on the recorder's thread, or in the server's other process.
"""
