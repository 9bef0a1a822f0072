"""`jupyter mlops trail`: who did what to models and services, and whether that is as it was written."""

from __future__ import annotations

import sys
from argparse import Namespace

from ..core.errors import ModelChanged
from .show import as_json


async def trail(asked: Namespace) -> None:
    """`trail [MODEL]`. Fails where a trail isn't as it was written."""
    from ..registry.trails import trail as trail_of
    from ..registry.trails import trail_lines

    found = trail_of(asked.model)
    findings = found.verify()
    if asked.json:
        as_json({"entries": list(found), "verified": findings})
    else:
        shown = found[-asked.limit :]
        left_out = [f"… {len(found) - len(shown):,} before"] if len(found) > len(shown) else []
        lines = [*left_out, *([trail_lines(shown)] if shown else ["Nothing was done yet."])]
        lines += [f"{'unbroken' if each.passed else 'BROKEN'}  {name}: {each.words}" for name, each in findings.items()]
        sys.stdout.write("\n".join(lines) + "\n")
    if bad := [f"{name}: {each.words}" for name, each in findings.items() if not each.passed]:
        raise ModelChanged("A trail isn't as it was written", "; ".join(bad[:3]), "Compare it with an older copy.")
