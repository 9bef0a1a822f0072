"""Gangs on pods that save what they have on a volume: what happens to a pod costs no more than the steps since.

A pod whose node is drained has a test in `test_components.py`, where nobody else needs the node.
"""

from __future__ import annotations

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.places.kubernetes import names

from .clusters import PATIENCE
from .kube import Kube
from .volumes import EVERY, STEPS, one_of, running_with_volume, train


def test_a_pod_that_is_killed_costs_the_steps_since_the_last_checkpoint(
    module_kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", module_kube.kubeconfig)
    with running_with_volume(module_kube) as made:
        run = mlops.train(train, 0.1, workers=2, cluster=made.cluster, restarts=0)
        made.until(lambda: run.record.checkpoint and run.record.checkpoint.step >= 2 * EVERY)
        assert run.record.checkpoints == f"/checkpoints/{run.id}"
        victim = f"{names.WORKER}={one_of(made)}"
        grace = ("--grace-period=0", "--force", "--wait=false")
        made.kube.kubectl("delete", "pod", "-n", made.namespace.name, "-l", victim, *grace)
        results = [run.result(PATIENCE), *list(run.results())]
        begin, end = results[0]
        assert results == [(begin, STEPS)] * 3 and end == STEPS
        assert begin >= 2 * EVERY and run.record.attempt == 2, run.prints()  # some kubelets give notice even then
        (used,) = run.record.use
        assert used.workers >= 2 and 0 < used.own_peak < used.peak < used.memory == 300 * 2**20, "what advice rests on"
        steps = [curve.steps for curve in run.curves["at"].ranks.values()]
        assert steps == [list(range(1, STEPS + 1))] * 2, "none is lost on its way here"
