"""`precompute plan`: how large an installation must be, from measured constants; needs no servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from streams.cli.output import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    from streams.planning.sizing import Assumptions, Plan
    from streams.planning.workload import Workload

#: A fleet's workers are alike; a few of them tell what all do.
SIMULATED_WORKERS = 4
_SHARES = {"p50": 0.5, "p99": 0.99}


def register(app: typer.Typer) -> None:
    app.command()(plan)


def plan(
    *,
    events_per_s: Annotated[float, typer.Option(help="Mean over a day.")],
    tasks: Annotated[
        str | None,
        typer.Option(
            help="NAME=JOBS_PER_EVENT[@CPU_S[+WAIT_S]], with commas; video and campaign: all of theirs."
        ),
    ] = None,
    users: Annotated[int, typer.Option(help="Users with a history.")] = 100_000,
    reads_per_s: Annotated[float, typer.Option(help="Reads through the API, mean over a day.")] = 0.0,
    peak: Annotated[float, typer.Option(help="The busiest hour over the mean, 1 to 3.")] = 2.0,
    speculation: Annotated[float, typer.Option(help="Predicted jobs for each event.")] = 0.1,
    assume: Annotated[
        list[str] | None,
        typer.Option(help="NAME=NUMBER: replaces an assumption, --assume children=8; several times."),
    ] = None,
    simulate: Annotated[
        float, typer.Option(help="Also simulate so many seconds of the peak, and print waits.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the simulation.")] = 1,
    json: JsonFlag = False,
) -> None:
    """Partitions, replicas, memory, Redis, Kafka's disk and cost for a load."""
    from streams.planning.sizing import make_plan
    from streams.planning.workload import DEFAULT_TASKS, Workload, parse_tasks

    assumed = _assumptions(assume or [])
    workload = Workload(
        events_per_s=events_per_s,
        tasks=parse_tasks(DEFAULT_TASKS if tasks is None else tasks, speculation=speculation),
        peak=peak,
        users=users,
        reads_per_s=reads_per_s,
    )
    made = make_plan(workload, assumed)
    waits = _simulate(workload, made, simulate, seed) if simulate else None
    if json:
        simulated = {"simulated": waits} if waits is not None else {}
        print_json({**msgspec.to_builtins(made), "assumed": msgspec.to_builtins(assumed), **simulated})
    else:
        _print_plan(made)
        if waits is not None:
            _print_waits(waits)


def _assumptions(pairs: list[str]) -> Assumptions:
    from streams.contracts.errors import ConfigurationError
    from streams.planning.sizing import Assumptions

    known = Assumptions.__struct_fields__
    values: dict[str, Any] = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if name not in known:
            raise ConfigurationError(f"--assume {pair}: there are {', '.join(known)}")
        values[name] = number
    try:
        return msgspec.convert(values, Assumptions, strict=False)
    except msgspec.ValidationError as exc:
        raise ConfigurationError(f"--assume: {exc}") from exc


def _simulate(workload: Workload, made: Plan, seconds: float, seed: int) -> dict[str, Any]:
    from streams.planning.arrivals import Window, draw_arrivals
    from streams.planning.constants import JOB_CPU_S
    from streams.planning.simulation import FleetConfig, percentile, simulate

    fleet = made.role("worker").replicas
    workers = min(SIMULATED_WORKERS, fleet)
    window = Window(seconds=seconds, workers=workers, fleet=fleet, seed=seed)
    config = FleetConfig(workers=workers, slots=made.slots, children=made.children, loop_s=JOB_CPU_S.value)
    report = simulate(draw_arrivals(workload, window), config)
    waits = {
        str(priority): {name: round(percentile(found, share), 3) for name, share in _SHARES.items()}
        for priority, found in sorted(report.waits_s.items(), reverse=True)
    }
    return {
        "seconds": seconds,
        "workers": workers,
        "jobs": report.completed,
        "shed": report.shed,
        "expired": report.expired,
        "busy": round(report.busy, 3),
        "wait_s_by_priority": waits,
    }


def _print_plan(made: Plan) -> None:
    from streams.planning.constants import GIB

    rows = [[role.role, role.replicas, role.cores, round(role.memory_bytes / GIB, 2)] for role in made.roles]
    print_table(["ROLE", "REPLICAS", "CORES EACH", "GIB EACH"], rows)
    figures = {
        "partitions of a topic": f"{made.partitions:,}",
        "cells (installations of their own)": f"{made.cells:,}",
        "PRECOMPUTE_WORKERS": str(made.slots),
        "PRECOMPUTE_CPU_PROCESSES": str(made.children),
        "Redis, GiB": f"{made.redis_bytes / GIB:,.1f}",
        "Kafka's disk with its replicas, GiB": f"{made.kafka_bytes / GIB:,.1f}",
        "busy at the peak": f"{made.busy:.0%}",
        "mean wait of CPU work at the peak, s": f"{made.child_wait_s:.2f}",
        "cost a month, US dollars without brokers": f"{made.cost_per_month:,.0f}",
    }
    typer.echo("")
    print_table(["FIGURE", "VALUE"], list(figures.items()))


def _print_waits(waits: dict[str, Any]) -> None:
    typer.echo(
        f"\nsimulated: {waits['seconds']:.0f} s of the peak on {waits['workers']} workers, "
        f"{waits['jobs']:,} jobs, {waits['shed']} shed, {waits['expired']} expired, {waits['busy']:.0%} busy"
    )
    rows = [[priority, *found.values()] for priority, found in waits["wait_s_by_priority"].items()]
    print_table(["PRIORITY", "WAIT P50, S", "WAIT P99, S"], rows)
