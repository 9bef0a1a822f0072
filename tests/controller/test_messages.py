"""Whoever answers in a scheduler's place, a link takes plain data and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest

from jupyter_mlops.controller.remote import RemoteLink, open_link
from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.errors import ClusterUnreachable, MlopsError, NotFound

from ..evil import GREETING, FakeScheduler, framed, pickled, plain, serialized
from .cluster import PATIENCE, cluster, make_spec


def _deep(member: Any) -> Any:
    """Where a member of a cluster's state would be."""
    return {"format": 1, "ok": {"seq": 1, "state": {"name": "v4", "options": [1, {"x": member}]}}}


NESTED = b"\x91" * 100_000 + b"\xc0"

#: Answers, by what is wrong with them.
ANSWERS: dict[str, Callable[[Path], bytes]] = {
    "a pickle": pickled,
    "a pickle inside": lambda marker: pickled(marker, _deep),
    "something serialized": serialized,
    "something serialized inside": lambda marker: serialized(marker, _deep),
    "an error": lambda marker: pickled(
        marker, lambda member: {"status": "uncaught-error", "exception": member, "exception_text": "Boom"}
    ),
    "a module": lambda _: plain(_deep({"__Enum__": 1, "__module__": "antigravity", "__name__": "x", "name": "y"})),
    "an extension": lambda _: plain(_deep(msgpack.ExtType(5, b"x"))),
    "too deep": lambda _: framed(NESTED),
    "too long": lambda _: (2**60).to_bytes(8, sys.byteorder) + (1).to_bytes(8, sys.byteorder) * 2,
    "no message": lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "not msgpack": lambda _: framed(b"\xc1"),
    "none": lambda _: plain(None),
    "a string": lambda _: plain("OK"),
    "a name of something else": lambda _: plain({"error": "os", "what": "x"}),
}


@pytest.mark.parametrize("wrong", ANSWERS)
async def test_no_answer_runs_code(wrong: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    async with FakeScheduler(ANSWERS[wrong](marker)).listening() as fake:
        with pytest.raises(MlopsError) as refused:
            await open_link(f"tcp://127.0.0.1:{fake.port}", timeout=PATIENCE)
    assert fake.asked == ["mlops_view"]
    assert refused.value.what
    assert not marker.exists() and "antigravity" not in sys.modules


async def test_no_greeting_runs_code(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for greeting in (pickled(marker), pickled(marker, lambda member: {**GREETING, "more": member}), serialized(marker)):
        async with FakeScheduler(plain(None), greeting).listening() as fake:
            with pytest.raises(ClusterUnreachable, match="refused"):
                await open_link(f"tcp://127.0.0.1:{fake.port}", timeout=PATIENCE)
        assert not fake.asked and not marker.exists()


async def test_what_a_scheduler_says_of_its_failure_is_told() -> None:
    async with cluster(make_spec()) as c:

        async def broken(**request: Any) -> None:
            raise TypeError("a fault of ours")

        c.scheduler.handlers["mlops_timeline"] = broken
        with pytest.raises(ClusterUnreachable, match="a fault of ours"):
            await c.link.timeline()
        assert isinstance((await c.link.view()).state, ClusterState)  # the link lives on


async def test_an_idle_connection_that_broke_is_replaced() -> None:
    answer = plain({"format": 1, "error": "NotFound", "what": "Nothing is known of it"})
    async with FakeScheduler(answer).listening() as fake:
        link = RemoteLink(f"tcp://127.0.0.1:{fake.port}")
        for _ in range(3):
            with pytest.raises(NotFound, match="Nothing is known of it"):
                await link.view()
            await fake.hang_up()
        await link.close()
