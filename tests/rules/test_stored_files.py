"""Each stored format has one owner: nobody else spells the names of its files, or reads them in other ways."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import jupyter_mlops
from jupyter_mlops.home import clusters, models, requests, retraining, runs, schedules, services, steps

ROOT = Path(jupyter_mlops.__file__).parent

#: Keeps copies under the same names in Secrets, and is not held to these rules yet.
EXEMPT = "places/kubernetes/"

CLUSTER, RUN, MODEL, SERVICE = "home/clusters.py", "home/runs.py", "home/models.py", "home/services.py"

#: Which file may spell a name.
OWNERS = {
    clusters.SPEC: {CLUSTER},
    clusters.RECORD: {CLUSTER, RUN},
    **{name: {CLUSTER} for name in (clusters.RECEIPT, clusters.LEDGER, clusters.EVENTS, clusters.TIMELINE)},
    clusters.SPEND: {CLUSTER},
    **{name: {CLUSTER} for name in (clusters.RUNS, clusters.RESULTS)},
    **{name: {RUN} for name in (runs.JOURNAL, "payload.pkl", "payload.new", "payload.why", "mlflow.json")},
    **{name: {MODEL} for name in (models.TRAIL, models.RULES, models.ALIASES, models.FOREIGN, models.VERSION)},
    models.DESCRIPTION: {MODEL},
    **{name: {MODEL} for name in (models.BASELINE, models.VERDICT, models.CHECK, models.CARD, models.SBOM)},
    **{name: {SERVICE} for name in (services.WANTED, services.SERVED, services.ROUTER, services.CALLERS)},
    **{name: {SERVICE} for name in (services.WATCH, services.WINDOWS, services.PERFORMANCE)},
    retraining.RETRAINING: {"home/retraining.py"},
    requests.ROWS: {"home/requests.py"},
    **{name: {"home/steps.py"} for name in (steps.KEPT, steps.LAST, steps.VALUES)},
    **{name: {"home/schedules.py"} for name in (schedules.SCHEDULE, schedules.LOG, schedules.PLACED)},
    schedules.CLOCK_LOG: {"home/schedules.py"},
    "settings.json": {"home/settings.py"},
    "bills.jsonl": {"home/bills.py"},
    "accounts.sqlite": {"home/accounts.py"},
    "history.sqlite": {"server/services.py"},
}

#: What reads data as one of our classes. `core/base.py` decides how strictly.
READING = {"model_validate", "model_validate_json", "model_validate_strings", "model_construct", "TypeAdapter"}


@cache
def _looked_at() -> tuple[dict[str, set[str]], set[str]]:
    """Where each text stands, and where data is read. Looked for once: it takes most of a second."""
    spelled: dict[str, set[str]] = {}
    read = set()
    for path in sorted(ROOT.rglob("*.py")):
        module = str(path.relative_to(ROOT))
        if module.startswith(EXEMPT):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                spelled.setdefault(node.value, set()).add(f"{module}:{node.lineno}")
            elif getattr(node, "attr", "") in READING or (isinstance(node, ast.Name) and node.id in READING):
                read.add(f"{module}:{node.lineno}")
    return spelled, read


@pytest.mark.parametrize("name", OWNERS)
def test_a_stored_file_s_name_is_spelled_by_its_owner_only(name: str) -> None:
    places = _looked_at()[0].get(name, set())
    spelled = {place for place in places if place.partition(":")[0] not in OWNERS[name]}
    assert not spelled, f"{name} belongs to {' and '.join(sorted(OWNERS[name]))}"


def test_only_core_base_decides_how_strictly_something_is_read() -> None:
    found = {place for place in _looked_at()[1] if place.partition(":")[0] != "core/base.py"}
    assert not found, "use read_input for what people send in, read_record for what is stored or sent by us"
