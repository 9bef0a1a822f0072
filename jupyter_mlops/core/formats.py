"""The number of the format that everything stored or sent is in. No third-party import: programs read it first."""

from __future__ import annotations

#: It changes when a field that is known changes its meaning, never for a field that is added. A reader takes from a
#: newer format what it knows; it says that the format is newer only where it can't read at all.
FORMAT = 1
