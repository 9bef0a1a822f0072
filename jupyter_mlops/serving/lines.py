"""Services in a line each."""

from __future__ import annotations

from ..core.service import ServiceState
from ..core.words import about, count


def service_line(state: ServiceState, now: float) -> str:
    """A service in a line: "churn: churn@3 ready at http://127.0.0.1:8001, 2 replicas, 12.0 requests/s"."""
    told = [f"{state.version_name} {state.phase}" + (f" at {state.address}" if state.live and state.address else "")]
    if state.live:
        ready = sum(replica.phase == "ready" for replica in state.replicas)
        told += [count(ready, "replica"), f"{state.rate:.1f} requests/s"]
        told += [f"{state.model}@{state.coming} is coming"] if state.coming and state.version else []
    else:
        told += [f"for {about(now - state.since)}"] if state.since else []
    told += [state.problem.what] if state.problem is not None else []
    return f"{state.name}: {', '.join(told)}"
