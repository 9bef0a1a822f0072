"""Dask clusters, runs and their cost, from a notebook in JupyterLab.

    %load_ext jupyter_mlops
    import jupyter_mlops as mlops

Nothing heavy is imported before it is used: `%load_ext` and `import` take milliseconds.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .agent.imported import when_imported

if TYPE_CHECKING:
    from . import profiles
    from .client.clusters.handle import Cluster, cluster, clusters, start
    from .client.costs.report import CostReport, costs
    from .client.runs.api import get_run, map, run, runs, train
    from .client.runs.execution.outcomes import FailedItem
    from .client.runs.fit import fit
    from .client.runs.inside import checkpoint, log_metric, log_param, progress, rank, report, resume, stopping, world
    from .client.runs.run import Run
    from .client.runs.sweeps.api import sweep
    from .client.runs.sweeps.result import Sweep
    from .core import errors
    from .core.errors import MlopsError
    from .core.price import Price
    from .core.profile import Group, Limits, Profile
    from .core.space import log, uniform, whole
    from .notebook.extension import load_ipython_extension, unload_ipython_extension
    from .notebook.panel.panel import Panel, panel
    from .pipelines.pipeline import Pipeline, pipeline
    from .registry.handle import Model, Version, model, models, save_model
    from .registry.scoring.api import Scores, score
    from .registry.trails import trail
    from .serving.api import deploy, service, services
    from .serving.handle import Service
    from .serving.replay.api import Replay, replay

__all__ = [
    "Cluster",
    "CostReport",
    "FailedItem",
    "Group",
    "Limits",
    "MlopsError",
    "Model",
    "Panel",
    "Pipeline",
    "Price",
    "Profile",
    "Replay",
    "Run",
    "Scores",
    "Service",
    "Sweep",
    "Version",
    "__version__",
    "checkpoint",
    "cluster",
    "clusters",
    "costs",
    "deploy",
    "errors",
    "fit",
    "get_run",
    "load_ipython_extension",
    "log",
    "log_metric",
    "log_param",
    "map",
    "model",
    "models",
    "panel",
    "pipeline",
    "profiles",
    "progress",
    "rank",
    "replay",
    "report",
    "resume",
    "run",
    "runs",
    "save_model",
    "score",
    "service",
    "services",
    "start",
    "stopping",
    "sweep",
    "trail",
    "train",
    "uniform",
    "unload_ipython_extension",
    "whole",
    "world",
]

#: Public name → the module that it is.
_MODULES = {"errors": ".core.errors", "profiles": ".profiles"}

#: Public name → module that has it.
_HOMES = {
    "Cluster": ".client.clusters.handle",
    "CostReport": ".client.costs.report",
    "FailedItem": ".client.runs.execution.outcomes",
    "Group": ".core.profile",
    "Limits": ".core.profile",
    "MlopsError": ".core.errors",
    "Model": ".registry.handle",
    "Panel": ".notebook.panel",
    "Pipeline": ".pipelines.pipeline",
    "Price": ".core.price",
    "Profile": ".core.profile",
    "Replay": ".serving.replay.api",
    "Run": ".client.runs.run",
    "Scores": ".registry.scoring.api",
    "Service": ".serving.handle",
    "Sweep": ".client.runs.sweeps.result",
    "Version": ".registry.handle",
    "checkpoint": ".client.runs.inside",
    "cluster": ".client.clusters.handle",
    "clusters": ".client.clusters.handle",
    "costs": ".client.costs.report",
    "deploy": ".serving.api",
    "fit": ".client.runs.fit",
    "get_run": ".client.runs.api",
    "load_ipython_extension": ".notebook.extension",
    "log": ".core.space",
    "log_metric": ".client.runs.inside",
    "log_param": ".client.runs.inside",
    "map": ".client.runs.api",
    "model": ".registry.handle",
    "models": ".registry.handle",
    "panel": ".notebook.panel",
    "pipeline": ".pipelines.pipeline",
    "progress": ".client.runs.inside",
    "rank": ".client.runs.inside",
    "replay": ".serving.replay.api",
    "report": ".client.runs.inside",
    "resume": ".client.runs.inside",
    "run": ".client.runs.api",
    "runs": ".client.runs.api",
    "save_model": ".registry.handle",
    "score": ".registry.scoring.api",
    "service": ".serving.api",
    "services": ".serving.api",
    "start": ".client.clusters.handle",
    "stopping": ".client.runs.inside",
    "sweep": ".client.runs.sweeps.api",
    "trail": ".registry.trails",
    "train": ".client.runs.api",
    "uniform": ".core.space",
    "unload_ipython_extension": ".notebook.extension",
    "whole": ".core.space",
    "world": ".client.runs.inside",
}


#: Those that are called on workers, too, where nothing is recorded.
_ON_WORKERS = ("checkpoint", "log_metric", "log_param", "progress", "rank", "report", "resume", "stopping", "world")


def __getattr__(name: str) -> Any:
    if name not in _MODULES and name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _ON_WORKERS and "IPython" in sys.modules:
        importlib.import_module(".notebook.errors", __name__).shorten_tracebacks()
    if name in _MODULES:
        return importlib.import_module(_MODULES[name], __name__)
    try:
        if _HOMES[name].startswith((".client", ".notebook", ".registry.scoring")) and name not in _ON_WORKERS:
            _record_runs()
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(f"{__name__}."):
            raise
        raise _not_here(name) from None


def _not_here(name: str) -> Exception:
    """To pods goes what they need of this package, and no more."""
    why = "a pod has what its task needs of jupyter-mlops; models and services are of the machine with your home"
    todo = "Have the code return what it made, or write it to a volume or a bucket, and use that in your notebook."
    error: Exception = importlib.import_module(".core.errors", __name__).Unavailable(
        f"There is no mlops.{name} here", why, todo
    )
    return error


def _record_runs() -> None:
    """What this process runs is recorded: runs and their history know nothing of each other."""
    kernel = importlib.import_module(".client.clusters.kernel", __name__).kernel()
    kernel.observe(importlib.import_module(".tracking.recorder", __name__).record)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _joblib_knows_us() -> None:
    """`joblib.parallel_config("mlops")` works; what it needs is imported then."""

    def backend(**options: Any) -> Any:
        _record_runs()
        return importlib.import_module(".client.runs.joblib", __name__).MlopsBackend(**options)

    importlib.import_module("joblib").register_parallel_backend("mlops", backend)


when_imported("joblib", _joblib_knows_us)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Where JupyterLab finds the sidebar."""
    return [{"src": "labextension", "dest": "jupyter-mlops"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Where Jupyter finds the server extension."""
    app = importlib.import_module(".server.app", __name__).MlopsApp  # not in kernels
    return [{"module": "jupyter_mlops", "app": app}]
