from __future__ import annotations

import socket

import httpx
import pytest

from streams.contracts.clock import ManualClock
from streams.contracts.errors import ConfigurationError
from streams.ops.health import STUCK_AFTER_S, Health, HealthServer


async def get(server: HealthServer, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"http://127.0.0.1:{server.port}{path}")


async def test_probes_and_metrics_answer_on_a_port_of_their_own() -> None:
    health = Health()
    server = HealthServer(health, "127.0.0.1", 0)
    await server.start()
    try:
        assert (await get(server, "/livez")).json() == {"ok": True, "failing": {}}
        assert (await get(server, "/readyz")).status_code == 200
        assert "precompute_build_info" in (await get(server, "/metrics")).text
        assert (await get(server, "/")).status_code == 404

        health.add_ready("kafka", lambda: "no partitions assigned yet")
        answer = await get(server, "/readyz")
        assert (answer.status_code, answer.json()["failing"]) == (
            503,
            {"kafka": "no partitions assigned yet"},
        )
        assert (await get(server, "/livez")).status_code == 200

        health.add_live("loop", lambda: "stuck")
        assert (await get(server, "/livez")).status_code == 503
    finally:
        await server.stop()
        await server.stop()


def test_a_loop_that_does_not_come_round_is_not_alive() -> None:
    clock = ManualClock()
    health = Health(clock)
    clock.advance(STUCK_AFTER_S - 0.1)
    assert health.live() == {}
    clock.advance(0.2)
    assert "stuck" in health.live()["event_loop"]
    assert "event_loop" in health.ready(), "what is not alive is not ready"
    health.beat()
    assert health.ready() == {}


def test_a_check_that_breaks_is_a_finding() -> None:
    health = Health()
    health.add_ready("broken", lambda: str(1 / 0))
    assert "the check itself failed" in health.ready()["broken"]


async def test_a_taken_port_is_told_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = HealthServer(Health(), "127.0.0.1", port)
        with pytest.raises(ConfigurationError, match="PRECOMPUTE_METRICS_PORT"):
            await server.start()
        await server.stop()
        second = HealthServer(Health(), "127.0.0.1", port, may_be_taken=True)
        await second.start()
        await second.stop()
