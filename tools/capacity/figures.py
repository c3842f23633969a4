"""The figures of docs/explanation/capacity.md: plans up to a million events/s, and load on one fleet."""

from __future__ import annotations

import statistics

import msgspec

from streams.planning.arrivals import Window, draw_arrivals
from streams.planning.constants import GIB, JOB_CPU_S
from streams.planning.simulation import FleetConfig, SimulationReport, percentile, simulate
from streams.planning.sizing import Plan, make_plan
from streams.planning.workload import DEFAULT_TASKS, Workload, parse_tasks

RATES = (1e3, 1e4, 1e5, 1e6)
#: Users and reads grow with the events.
USERS_PER_EVENT, READS_PER_EVENT = 100, 1.0
SPECULATION = 0.1
#: Load over what the fleet was planned for.
LOADS = (0.5, 0.7, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
SECONDS, WORKERS = 300.0, 2


class ScalePoint(msgspec.Struct, frozen=True, kw_only=True):
    """A rate, its plan, and what a slice of that fleet did in the simulation."""

    events_per_s: float
    plan: Plan
    report: SimulationReport

    def row(self) -> list[str]:
        plan = self.plan
        upload = statistics.fmean(self.report.waits_s[8])
        return [
            f"{self.events_per_s:,.0f}",
            *(f"{plan.role(role).replicas:,}" for role in ("streams", "worker", "api")),
            f"{plan.cells:,} x {plan.partitions:,}",
            f"{plan.redis_bytes / GIB / 1024:,.2f}",
            f"{plan.kafka_bytes / GIB / 1024:,.0f}",
            f"{plan.child_wait_s:.2f} / {upload:.2f}",
            f"{percentile(self.report.waits_s[7], 0.95):.2f}",
        ]


COLUMNS = (
    "events/s",
    "streams",
    "workers",
    "api",
    "cells x partitions",
    "Redis, TiB",
    "Kafka, TiB",
    "mean wait of video work, s: formula / simulated",
    "95 % of dashboards start within, s",
)


class LoadPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Load over the planned one, and the seconds that 95 % of uploads' and of logins' work wait at most."""

    load: float
    upload_s: float
    login_s: float


def workload_at(events_per_s: float) -> Workload:
    return Workload(
        events_per_s=events_per_s,
        tasks=parse_tasks(DEFAULT_TASKS, speculation=SPECULATION),
        users=round(events_per_s * USERS_PER_EVENT),
        reads_per_s=events_per_s * READS_PER_EVENT,
    )


def _run(workload: Workload, plan: Plan) -> SimulationReport:
    window = Window(seconds=SECONDS, workers=WORKERS, fleet=plan.role("worker").replicas)
    fleet = FleetConfig(workers=WORKERS, slots=plan.slots, children=plan.children, loop_s=JOB_CPU_S.value)
    return simulate(draw_arrivals(workload, window), fleet)


def scale_points() -> list[ScalePoint]:
    found = []
    for rate in RATES:
        workload = workload_at(rate)
        plan = make_plan(workload)
        found.append(ScalePoint(events_per_s=rate, plan=plan, report=_run(workload, plan)))
    return found


def load_points() -> list[LoadPoint]:
    planned = workload_at(RATES[0])
    plan = make_plan(planned)
    found = []
    for load in LOADS:
        report = _run(msgspec.structs.replace(planned, events_per_s=planned.events_per_s * load), plan)
        found.append(
            LoadPoint(
                load=load,
                upload_s=percentile(report.waits_s[8], 0.95),
                login_s=percentile(report.waits_s[7], 0.95),
            )
        )
    return found
