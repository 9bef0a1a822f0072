"""Which copies of a variable stay on workers that have no use for it at this moment."""

from __future__ import annotations

from distributed.active_memory_manager import ReduceReplicas as DasksOwn
from distributed.active_memory_manager import SuggestionGenerator

from ..home.variables import PREFIX

#: Bytes of a variable whose copies stay. A kernel leaves a few variables on a cluster, for its next runs.
SMALL = 8_000_000


class ReduceReplicas(DasksOwn):
    """Dask's policy, which drops all copies of a value but one once nobody waits for it, but for small variables.

    Dask has a task done where what it needs is. So the next run with a variable would begin on one worker, and the
    others have nothing to do until they may steal some of it.
    """

    def run(self) -> SuggestionGenerator:
        """As Dask's."""
        for suggestion in super().run():
            if not (str(suggestion.ts.key).startswith(PREFIX) and suggestion.ts.get_nbytes() <= SMALL):
                yield suggestion
