"""What it costs a request that the service is watched: counted against a baseline, and a part of it logged."""

from __future__ import annotations

from collections.abc import Iterator

import jupyter_mlops as mlops

from ..measure import Result, compared
from . import models
from .load import in_turns

#: Seconds that each is asked in a round, and rounds.
SECONDS, ROUNDS = 3.0, 7


def run() -> Iterator[Result]:
    """The same model twice: saved with rows and deployed as services are, and with neither baseline nor log."""
    model, valid = models.small(), models.rows(10_000, 1)
    watched = mlops.deploy(mlops.save_model(model, "watched", valid=valid).name)
    blind = mlops.deploy(mlops.save_model(model, "blind", example=valid[0].iloc[:5]).name, log=0)
    try:
        targets = {each.name: models.target(each, models.as_tensor()) for each in (watched, blind)}
        seen = in_turns(targets, SECONDS, ROUNDS)
        assert watched.watch().state.features and not blind.watch().state.features
    finally:
        watched.stop()
        blind.stop()
    name = "a request to a service that is watched"
    ours, peer = (seen[each] * 1e3 for each in ("watched", "blind"))
    yield compared(name, "ms CPU", ours, peer, "the same, with neither baseline nor log", 1.1)
