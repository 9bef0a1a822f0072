"""Why a pod is pending, died or was refused, as the sentence and the remedy that a user reads.

Pure: what the API said goes in as plain JSON, a `Problem` comes out. The pool and the backend call it, so that the
card, the details, the cell and the command line say the same.
"""

from .death import SPOT_TAKEN, death
from .facts import Facts
from .pending import pending
from .refusal import refusal
from .restarted import restarted

__all__ = ["SPOT_TAKEN", "Facts", "death", "pending", "refusal", "restarted"]
