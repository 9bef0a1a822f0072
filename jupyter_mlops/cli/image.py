"""`jupyter mlops image`: a Dockerfile that has exactly this environment."""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..core.errors import Conflict


def add_image(command: ArgumentParser) -> None:
    """The arguments of `image`."""
    command.add_argument(
        "-o", "--output", default="Dockerfile", help="its file; requirements.txt lies beside it (default: %(default)s)"
    )
    command.add_argument("--python", default="", help="of the kernel, when it isn't this one")


async def image(asked: Namespace) -> None:
    """`image`."""
    await asyncio.to_thread(_write, asked)


def _write(asked: Namespace) -> None:
    from ..places.kubernetes.image import dockerfile, environment, requirements

    target = Path(asked.output)
    beside = target.with_name("requirements.txt")
    found = environment(asked.python)
    for path in (target, beside):
        _check(path)
    beside.write_text(requirements(found), encoding="utf-8")
    target.write_text(dockerfile(found, beside.name), encoding="utf-8")
    sys.stdout.write(f"{target} and {beside}: Python {found.python} with {len(found.pinned)} packages.\n")
    for name, origin in found.left_out.items():
        sys.stdout.write(f"Not included: {name}, {origin}.\n")


def _check(path: Path) -> None:
    """A file that somebody wrote by hand isn't replaced."""
    from ..places.kubernetes.image import HEADER

    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(HEADER):
        raise Conflict(f"{path} exists", "it wasn't written by this command", "Choose another name with --output.")
