"""Where runs are recorded."""

from __future__ import annotations

import os

from .. import home
from ..home import settings

#: Takes precedence over the setting: for a machine, a container or a test.
VARIABLE = "JUPYTER_MLOPS_TRACKING_URI"

#: Instead of a URI: runs are kept in the home folder alone, and MLflow is neither imported nor started.
OFF = "off"


def tracking_uri() -> str:
    """MLflow's tracking URI: the variable, else the user's setting, else a file in the home folder. Empty where the
    user wants nothing in MLflow."""
    uri = os.environ.get(VARIABLE) or settings.load().tracking_uri or f"sqlite:///{home.home() / 'mlflow.sqlite'}"
    return "" if uri == OFF else uri


def shows_models(uri: str) -> bool:
    """Whether models are registered at a tracking URI: a file on this machine, since a version is registered by the
    path of its artifact, which a server elsewhere can't read."""
    return uri.startswith(("sqlite:", "file:")) or "://" not in uri
