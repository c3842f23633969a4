"""The API as a process: hits at a steady rate, as many as it can, and misses that are computed."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import uvloop

from bench.read.scheduling import first_in_line, waited_s
from bench.report import percentile
from streams.local.valkey import LocalValkey
from tests.support.system import SystemUnderTest

KEY = "dashboard_data:user:bench"
CONNECTIONS = 16


def measure(
    folder: Path, bootstrap: str, valkey: LocalValkey, seconds: float, misses: int
) -> list[dict[str, Any]]:
    with SystemUnderTest(folder, bootstrap, valkey.url) as system:
        system.start("worker", "api")
        port = system.http.base_url.port
        assert port is not None
        first = system.http.get(f"/cache/{KEY}", headers={"Prefer": "wait=15"})
        assert first.status_code == 200, first.text
        api = system.roles["api"].pid
        assert api is not None
        assert valkey.pid is not None
        shared = _hits(port, api, seconds)
        with first_in_line([api, valkey.pid, os.getpid()]) as alone:
            own = _hits(port, api, seconds) if alone else []
        waited = _misses(system.http, misses)
    return [
        *(own or shared),
        *({**row, "what": f"{row['what']}, on shared cores"} for row in shared if own),
        {"what": "a miss, computed and answered", **_row(waited)},
    ]


def _hits(port: int, api: int, seconds: float) -> list[dict[str, Any]]:
    """At a steady rate, then as many as it can."""
    waited = waited_s(api)
    steady = _row(uvloop.run(_steady(port, 500.0, seconds)))
    steady["waited for a core"] = f"{(waited_s(api) - waited) / seconds:.0%}"
    process = psutil.Process(api)
    cpu, waited, began = sum(process.cpu_times()[:2]), waited_s(api), time.perf_counter()
    rate, times = uvloop.run(_saturated(port, seconds))
    took = time.perf_counter() - began
    return [
        {"what": "a hit, at 500 requests a second", **steady},
        {
            "what": "a hit, as many as it can",
            **_row(times),
            "requests/s": round(rate),
            "cores": round((sum(process.cpu_times()[:2]) - cpu) / took, 2),
            "waited for a core": f"{(waited_s(api) - waited) / took:.0%}",
        },
    ]


def _row(times: list[float]) -> dict[str, Any]:
    return {
        "n": len(times),
        "p50 ms": round(percentile(times, 0.5) * 1000, 2),
        "p99 ms": round(percentile(times, 0.99) * 1000, 2),
    }


class _Connection:
    """HTTP/1.1 kept alive, no more than the benchmark needs: its client must not be what is measured."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._request = f"GET /api/precompute/cache/{KEY} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def get(self) -> float:
        began = time.perf_counter()
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await self._reader.readexactly(length)
        return time.perf_counter() - began

    def close(self) -> None:
        self._writer.close()


async def _steady(port: int, rate: float, seconds: float) -> list[float]:
    """Open loop: requests start when they are due, however long others take."""
    free: asyncio.Queue[_Connection] = asyncio.Queue()
    connections = [_Connection(port) for _ in range(CONNECTIONS)]
    for connection in connections:
        await connection.open()
        free.put_nowait(connection)
    times: list[float] = []

    async def one(due: float) -> None:
        connection = await free.get()
        await connection.get()
        times.append(time.perf_counter() - due)
        free.put_nowait(connection)

    tasks = []
    begin = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(max(due, time.perf_counter()))))
    await asyncio.gather(*tasks)
    for connection in connections:
        connection.close()
    return times


async def _saturated(port: int, seconds: float) -> tuple[float, list[float]]:
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def work() -> None:
        connection = _Connection(port)
        await connection.open()
        while time.perf_counter() < end:
            times.append(await connection.get())
        connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return len(times) / (time.perf_counter() - began), times


def _misses(client: httpx.Client, count: int) -> list[float]:
    times = []
    for number in range(count):
        began = time.perf_counter()
        response = client.get(f"/cache/dashboard_data:user:miss-{number}", headers={"Prefer": "wait=15"})
        times.append(time.perf_counter() - began)
        assert response.status_code == 200, response.text
    return times
