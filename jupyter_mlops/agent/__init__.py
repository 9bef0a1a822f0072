"""What runs inside each worker: the user's code, its prints, and the way to stop it.

These files use nothing but the standard library and what every Dask worker has, because they travel to the workers as
text: `controller/runs/install.py` installs them there under the name `jupyter_mlops_agent`. So a worker needs no copy
of this package, and the agent of an old cluster is always of the same version as that cluster's controller.
"""
