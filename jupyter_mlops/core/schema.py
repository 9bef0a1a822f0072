"""The models as JSON Schema, from which the browser's types are generated: `python -m jupyter_mlops.core.schema`."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from . import cluster, estimate, operation, profile, run, settings, stream

MODELS = (
    cluster.ClusterState,
    cluster.WorkerState,
    cluster.Event,
    cluster.Receipt,
    cluster.Problem,
    cluster.Sample,
    run.RunState,
    run.Entry,
    operation.Operation,
    profile.Profile,
    estimate.Estimate,
    settings.Settings,
    stream.Snapshot,
    stream.Changes,
    stream.Hello,
)


def schema() -> dict[str, Any]:
    """One JSON Schema with a definition per model, as they are when sent."""
    _, document = models_json_schema([(model, "serialization") for model in MODELS], title="jupyter-mlops")
    document["properties"] = {model.__name__: {"$ref": f"#/$defs/{model.__name__}"} for model in MODELS}
    document["type"] = "object"
    document["additionalProperties"] = False
    return document


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2, sort_keys=True))
