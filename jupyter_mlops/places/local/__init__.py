"""This machine as a place: a detached scheduler program per cluster, with its workers as processes.

backend.py     LocalBackend: what the upper layers call; reads folders, starts programs
scheduler.py   the program: Dask's scheduler with the controller (python -m …local.scheduler FOLDER)
forkserver.py  its child, which imported Dask with it and forks the workers
worker.py      what a forked worker runs
pool.py        the controller's hand on the fork server
folder.py, record.py, processes.py, tls.py, remains.py   a cluster's folder and what is in it
"""
