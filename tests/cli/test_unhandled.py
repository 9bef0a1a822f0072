"""What libraries drop when a connection goes is not for the terminal."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from jupyter_mlops.cli import commands
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.unhandled import LOG


async def dropped(_: object = None) -> None:
    """As Dask and aiohttp drop tasks: nobody ever asks how this one ended."""

    async def fails() -> None:
        raise OSError("the connection is gone")

    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert task.done()
    del task
    gc.collect()


def on_the_command_line(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(commands.COMMANDS, "list", lambda asked: work())
        assert main(["list"]) == 0


def on_the_way_to_kubernetes(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    connections = pytest.importorskip("jupyter_mlops.places.kubernetes.tunnel.connections").Connections()
    asyncio.run(connections.run(work()))


@pytest.mark.parametrize("where", [on_the_command_line, on_the_way_to_kubernetes])
def test_a_dropped_task_is_logged_and_not_written(where: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    gc.collect()  # what earlier tests dropped is told of before
    caplog.clear()
    caplog.set_level(logging.INFO)
    where(dropped)
    told = {record.name for record in caplog.records if "never retrieved" in record.getMessage()}
    assert told == {LOG}
