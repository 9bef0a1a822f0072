"""One client for all servers: kept connections, each of which asks again as soon as it is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil

#: Connections at a time, and seconds for an answer.
CONNECTIONS, PATIENCE = 8, 60.0


@dataclass
class Target:
    """What is asked.

    Parameters
    ----------
    url : where.
    body : of each request, JSON.
    processes : all of the server's, as they are now.
    headers : besides those that each request has.
    """

    url: str
    body: bytes
    processes: Callable[[], Iterable[psutil.Process]]
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def request(self) -> bytes:
        """The bytes of a request."""
        where = urlsplit(self.url)
        own = {"Host": where.netloc, "Content-Type": "application/json", "Content-Length": str(len(self.body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in {**own, **self.headers}.items())
        verb = "POST" if self.body else "GET"
        return f"{verb} {where.path or '/'} HTTP/1.1\r\n{head}\r\n".encode() + self.body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status, length = int(head[9:12]), head.partition(b"content-length:")[2]
    if length:
        return status, await reader.readexactly(int(length.partition(b"\r\n")[0]))
    body = b""
    while size := int(await reader.readline(), 16):  # in chunks
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return status, body


async def _asked(target: Target, number: int, connections: int) -> None:
    request, left, where = target.request, number, urlsplit(target.url)

    async def one() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            while left > 0:
                left -= 1
                writer.write(request)
                status, body = await asyncio.wait_for(answer(reader), PATIENCE)
                if status != 200:
                    raise RuntimeError(f"{target.url} answers {status}: {body[:500]!r}")
        finally:
            writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))


def ask(target: Target, number: int, connections: int = CONNECTIONS) -> None:
    """Ask so many times, over so many connections; raises where one isn't answered with 200."""
    asyncio.run(_asked(target, number, connections))


def cpu(processes: Iterable[psutil.Process]) -> float:
    """Seconds of CPU time that processes have used, with that of their children which have ended."""
    total = 0.0
    for process in processes:
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def per_request(target: Target, number: int) -> float:
    """Seconds of CPU time that a request costs all processes of the server."""
    before = cpu(target.processes())
    ask(target, number)
    return (cpu(target.processes()) - before) / number


def in_turns(targets: dict[str, Target], seconds: float, rounds: int) -> dict[str, float]:
    """What a request costs each server, in seconds of CPU time: the least disturbed of rounds, in each of which one is
    asked after another, for about so many seconds."""
    numbers = {}
    for name, target in targets.items():
        ask(target, 200)  # it is warm then, and learns how many are known
        began = time.perf_counter()
        ask(target, 200)
        numbers[name] = max(200, int(200 * seconds / (time.perf_counter() - began)))
    found = [{name: per_request(target, numbers[name]) for name, target in targets.items()} for _ in range(rounds)]
    return {name: min(each[name] for each in found) for name in targets}


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that it has started."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]
