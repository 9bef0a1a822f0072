"""What runs inside each worker: the user's code, its prints, and the way to stop it.

These files use nothing but the standard library and what every Dask worker has, because they travel to the workers as
text (`controller/runbook.py` installs them under the name `jupyter_mlops_agent`): a worker needs no copy of this
package, and an old cluster can't have another version of it than its controller.
"""
