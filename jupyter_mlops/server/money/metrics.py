"""What Prometheus is told: clusters, workers, money and budgets, as they are when it asks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...core.cluster import ClusterState, Counts
from ...core.price import HOUR

#: Which cluster a figure is of.
_WHOSE = ("place", "namespace", "cluster", "id", "profile", "owner")


class MetricsCollector(Collector):
    """Collects what there is at the moment; keeps nothing.

    Money is told with its currency, and only where it is known: a cluster without a price has unpriced CPU-seconds, and
    no cost. Clusters that ended stay with their last figures for as long as they are listed.

    Parameters
    ----------
    states : gives all clusters that are listed.
    """

    def __init__(self, states: Callable[[], Iterable[ClusterState]]) -> None:
        self._states = states
        self._own = CollectorRegistry()
        self._own.register(self)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._own)

    def join(self) -> None:
        """Be among what Jupyter Server itself tells at `/metrics`."""
        REGISTRY.register(self)

    def leave(self) -> None:
        """Be there no longer; a no-op where it isn't."""
        with contextlib.suppress(KeyError):
            REGISTRY.unregister(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing: its names are its own, and a registry need not collect to know them."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics now."""
        states = list(self._states())
        live = [state for state in states if state.phase != "ended"]
        yield from (_clusters(states), _workers(live), *_money(states, live), *_budgets(live))


def _clusters(states: list[ClusterState]) -> Metric:
    metric = GaugeMetricFamily("mlops_clusters", "Clusters by place and phase", labels=("place", "phase"))
    found: dict[tuple[str, str], int] = {}
    for state in states:
        found[state.place, state.phase] = found.get((state.place, state.phase), 0) + 1
    for labels, number in found.items():
        metric.add_metric(labels, number)
    return metric


def _workers(live: list[ClusterState]) -> Metric:
    metric = GaugeMetricFamily("mlops_workers", "Workers of live clusters by state", labels=(*_WHOSE, "state"))
    for state in live:
        for name in Counts.model_fields:
            metric.add_metric((*_whose(state), name), getattr(state.counts, name))
    return metric


def _money(states: list[ClusterState], live: list[ClusterState]) -> Iterator[Metric]:
    money = (*_WHOSE, "currency")
    cost = CounterMetricFamily("mlops_cost", "Money that a cluster has cost, as far as known", labels=money)
    idle = CounterMetricFamily("mlops_idle_cost", "Money for workers without a task", labels=money)
    rate = GaugeMetricFamily("mlops_hourly_cost", "Money for an hour of what is held", labels=money)
    unpriced = CounterMetricFamily("mlops_unpriced_cpu_seconds", "CPU-seconds without a price", labels=_WHOSE)
    for state in states:
        whose, of = _whose(state), state.cost
        unknown = of.usage if of.amount is None else of.unknown
        unpriced.add_metric(whose, unknown.cpu_hours * HOUR)
        if of.amount is not None:
            cost.add_metric((*whose, of.currency), of.amount)
        if state.spend is not None and state.spend.amount is not None:
            idle.add_metric((*whose, state.spend.currency), state.spend.amount.idle)
    for state in live:
        if state.cost.per_hour is not None:
            rate.add_metric((*_whose(state), state.cost.currency), state.cost.per_hour)
    yield from (cost, unpriced, idle, rate)


def _budgets(live: list[ClusterState]) -> Iterator[Metric]:
    said = {
        "limit": "The budget of a cluster",
        "spent": "What is known to be spent of a budget",
        "assumed": "What a budget holds for usage without a price",
    }
    for name, text in said.items():
        metric = GaugeMetricFamily(f"mlops_budget_{name}", text, labels=(*_WHOSE, "currency"))
        for state in live:
            if state.budget is not None:
                metric.add_metric((*_whose(state), state.budget.currency), getattr(state.budget, name))
        yield metric


def _whose(state: ClusterState) -> tuple[str, ...]:
    return (state.place, state.namespace, state.name, state.id, state.profile, state.owner)
