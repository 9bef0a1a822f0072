"""What browsers and the server exchange, as JSON Schema: `python -m jupyter_mlops.core.schema`.

`labextension/src/state/schema.ts`, the browser's types, is generated from it.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from . import (
    alert,
    callers,
    cluster,
    curve,
    estimate,
    gate,
    history,
    label,
    model,
    money,
    operation,
    performance,
    profile,
    promotion,
    run,
    schedule,
    settings,
    stack,
    stream,
    sweep,
)

SHARED = (
    cluster.ClusterState,
    cluster.WorkerState,
    cluster.Event,
    cluster.Receipt,
    cluster.Problem,
    cluster.Sample,
    run.RunState,
    run.Entry,
    curve.CurvesView,
    sweep.TrialsView,
    stack.PythonStack,
    operation.Operation,
    schedule.ScheduleAnswer,
    model.ModelState,
    model.Finding,
    promotion.ModelView,
    promotion.Promotion,
    gate.Verdict,
    alert.ServiceWatch,
    callers.ServiceCallers,
    history.ServiceHistory,
    performance.Performance,
    label.JoinedLabels,
    money.MoneyView,
    profile.Profile,
    estimate.Estimate,
    settings.Settings,
    stream.Snapshot,
    stream.Changes,
    stream.Hello,
)


def schema() -> dict[str, Any]:
    """One JSON Schema with a definition per class, as it is when sent."""
    _, document = models_json_schema([(class_, "serialization") for class_ in SHARED], title="jupyter-mlops")
    document["properties"] = {class_.__name__: {"$ref": f"#/$defs/{class_.__name__}"} for class_ in SHARED}
    document["type"] = "object"
    document["additionalProperties"] = False
    return document


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2, sort_keys=True))
