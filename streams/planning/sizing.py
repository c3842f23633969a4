"""From a workload to an installation: partitions, replicas, memory, Redis, Kafka's disk, cost."""

from __future__ import annotations

import math

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.tasks import BUILTIN_TASKS, HOUR_S, Entity
from streams.contracts.topics import DAY_S
from streams.planning import constants as c
from streams.planning.waiting import erlang_c, mean_wait_s
from streams.planning.workload import TaskLoad, Workload
from streams.work.queues import QueueConfig

#: Partitions come in dozens: they divide evenly among 2, 3, 4, 6 and 12 replicas.
DOZEN = 12
#: Partitions over replicas: they cannot be grown without moving keys, so there is room for years.
PARTITION_ROOM = 2
#: Fifteen topics have that many, on three brokers each: 54,000 copies are what a dozen brokers carry well.
#: What needs more is split into cells, installations of their own between which users are divided.
MOST_PARTITIONS = 1200
#: Share of the time in which CPU work may hold every slot, so that no asynchronous job starts.
SLOTS_FULL = 0.01
HOURS_A_MONTH = 730


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is not measured but decided or guessed; every one can be set. Prices are US dollars, of no
    provider: put yours in.
    """

    #: Load at the peak over what a process can do; above it, waits grow out of hand.
    streams_busy: float = 0.6
    worker_busy: float = 0.7
    api_busy: float = 0.6
    children: int = 4
    #: How much faster a core is than that of the benchmarks.
    core_speed: float = 1.0
    replication: int = 3
    #: Of JSON with an account inside, by Kafka's producers; measured texts repeat themselves too much.
    job_compression: float = 0.3
    changelog_dirt: float = 2.0
    #: Fragmentation, buffers and the copy of a snapshot.
    redis_room: float = 1.5
    stale_s: float = HOUR_S
    ledger_s: float = DAY_S
    users_event_days: int = 30
    jobs_days: int = 7
    low_jobs_days: int = 1
    fewest_replicas: int = 2
    per_core_hour: float = 0.04
    per_gib_hour: float = 0.005
    per_disk_gib_month: float = 0.1

    def __post_init__(self) -> None:
        shares = (self.streams_busy, self.worker_busy, self.api_busy)
        if any(not 0 < share < 1 for share in shares) or self.children < 1 or self.core_speed <= 0:
            raise ConfigurationError("busy shares between 0 and 1, at least one child, a core speed above 0")


class RolePlan(msgspec.Struct, frozen=True, kw_only=True):
    """`cores` and `memory_bytes` are of one replica."""

    role: str
    replicas: int
    cores: float
    memory_bytes: float


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`partitions` is of one topic in one cell; replicas and bytes are of all cells together."""

    cells: int
    partitions: int
    roles: tuple[RolePlan, ...]
    #: PRECOMPUTE_WORKERS and PRECOMPUTE_CPU_PROCESSES of each worker.
    slots: int
    children: int
    redis_bytes: float
    kafka_bytes: float
    cost_per_month: float
    #: Of the child processes at the peak, 0 to 1.
    busy: float
    #: Mean seconds that CPU work waits for a child process at the peak.
    child_wait_s: float

    def role(self, name: str) -> RolePlan:
        return next(role for role in self.roles if role.role == name)


def make_plan(workload: Workload, assumed: Assumptions | None = None) -> Plan:
    """The smallest installation that carries the peak within the assumptions."""
    given = assumed or Assumptions()
    worker = _worker(workload, given)
    busy = child_seconds(workload, given) / (worker.replicas * given.children)
    slots = _slots(workload, worker.replicas, busy, given)
    roles = (_streams(workload, given), _with_urgent_children(worker, slots), _api(workload, given))
    partitions = max(roles[0].replicas, worker.replicas) * PARTITION_ROOM
    cells = math.ceil(partitions / MOST_PARTITIONS)
    redis, kafka = redis_bytes(workload, given), kafka_bytes(workload, given)
    per_s, mean_s, cv = _child_work(workload, given)
    return Plan(
        cells=cells,
        partitions=math.ceil(partitions / cells / DOZEN) * DOZEN,
        roles=roles,
        slots=slots,
        children=given.children,
        redis_bytes=redis,
        kafka_bytes=kafka,
        cost_per_month=_cost(roles, redis, kafka, given),
        busy=busy,
        child_wait_s=mean_wait_s(given.children, per_s / worker.replicas, mean_s, cv),
    )


def child_seconds(workload: Workload, assumed: Assumptions) -> float:
    """CPU seconds of child processes asked for in a second of the peak."""
    total = sum(workload.jobs_per_s(load) * load.cpu_s for load in workload.tasks if load.in_child)
    return total * workload.peak / assumed.core_speed


def loop_seconds(workload: Workload, assumed: Assumptions) -> float:
    """CPU seconds of workers' own event loops asked for in a second of the peak."""
    total = sum(
        workload.jobs_per_s(load) * (c.JOB_CPU_S.value + (0.0 if load.in_child else load.cpu_s))
        for load in workload.tasks
    )
    return total * workload.peak / assumed.core_speed


def _streams(workload: Workload, given: Assumptions) -> RolePlan:
    cpu = workload.events_per_s * workload.peak * c.EVENT_CPU_S.value / given.core_speed
    replicas = max(given.fewest_replicas, math.ceil(cpu / given.streams_busy))
    memory = c.STREAMS_BYTES.value + workload.users / replicas * c.STREAMS_BYTES_PER_USER.value
    return RolePlan(role="streams", replicas=replicas, cores=1.0, memory_bytes=memory)


def _worker(workload: Workload, given: Assumptions) -> RolePlan:
    by_children = math.ceil(child_seconds(workload, given) / (given.children * given.worker_busy))
    by_loop = math.ceil(loop_seconds(workload, given) / given.worker_busy)
    replicas = max(given.fewest_replicas, by_children, by_loop)
    memory = c.WORKER_BYTES.value + given.children * c.CHILD_BYTES.value
    return RolePlan(role="worker", replicas=replicas, cores=1.0 + given.children, memory_bytes=memory)


def _with_urgent_children(worker: RolePlan, slots: int) -> RolePlan:
    """They share the cores of the others, but not their memory."""
    urgent = QueueConfig(slots=slots).reserved * c.CHILD_BYTES.value
    return msgspec.structs.replace(worker, memory_bytes=worker.memory_bytes + urgent)


def _slots(workload: Workload, replicas: int, busy: float, given: Assumptions) -> int:
    """Little's law for what waits elsewhere, and room for CPU work that holds a slot while it waits."""
    elsewhere = sum(workload.jobs_per_s(load) * load.wait_s for load in workload.tasks) * workload.peak
    held = (elsewhere + loop_seconds(workload, given)) / (replicas * given.worker_busy)
    queued = 0.0
    if busy > 0:
        # M/M/c: n jobs or more wait with the probability of waiting at all x busy^n. Uneven times stretch
        # the tail as they do the wait (A. O. Allen and N. Cunneen).
        _, _, cv = _child_work(workload, given)
        waits = math.log(SLOTS_FULL / erlang_c(given.children, busy * given.children)) / math.log(busy)
        queued = max(0.0, waits) * (1 + cv * cv) / 2
    reserved = 1 - QueueConfig(slots=1).reserved_share
    return math.ceil((given.children + queued) / reserved) + max(2, math.ceil(held))


def _child_work(workload: Workload, given: Assumptions) -> tuple[float, float, float]:
    """Jobs/s of the peak that take a child, their mean seconds, and the spread of those."""
    loads = [
        (workload.jobs_per_s(load), load.cpu_s / given.core_speed) for load in workload.tasks if load.in_child
    ]
    per_s = sum(rate for rate, _ in loads)
    mean = sum(rate * cpu for rate, cpu in loads) / per_s if per_s else 0.0
    if mean == 0:
        return 0.0, 0.0, 0.0
    square = sum(rate * cpu * cpu for rate, cpu in loads) / per_s * (1 + c.SERVICE_CV**2)
    return per_s * workload.peak, mean, math.sqrt(max(0.0, square / mean**2 - 1))


def _api(workload: Workload, given: Assumptions) -> RolePlan:
    a_core = c.API_READS_PER_S.value / c.API_CORES.value * given.core_speed
    cpu = workload.reads_per_s * workload.peak / a_core
    replicas = max(given.fewest_replicas, math.ceil(cpu / given.api_busy))
    return RolePlan(role="api", replicas=replicas, cores=1.0, memory_bytes=c.API_BYTES.value)


def redis_bytes(workload: Workload, given: Assumptions) -> float:
    """Answers while they can be read, timelines while they are kept, and a mirror of every user."""
    an_answer = c.ANSWER_BYTES.value + c.INDEX_BYTES.value + c.UNREAD_BYTES.value
    a_timeline = c.TIMELINE_BYTES.value + c.LISTED_BYTES.value
    a_user = c.INPUT_BYTES.value + c.HISTORY_BYTES.value + c.PREDICTIONS_BYTES.value
    answers = sum(_live_answers(workload, load, given) for load in workload.tasks)
    timelines = workload.all_jobs_per_s * given.ledger_s
    return (answers * an_answer + timelines * a_timeline + workload.users * a_user) * given.redis_room


def _live_answers(workload: Workload, load: TaskLoad, given: Assumptions) -> float:
    spec = BUILTIN_TASKS.get(load.task)
    kept_s = (spec.ttl_s if spec is not None else HOUR_S) + given.stale_s
    written = workload.jobs_per_s(load) * kept_s
    # A user has one answer of a task, however often it is computed.
    return min(written, workload.users) if spec is not None and spec.entity == Entity.USER else written


def kafka_bytes(workload: Workload, given: Assumptions) -> float:
    """Every topic's records while they are kept, on all replicas."""
    events = workload.events_per_s * c.EVENT_RECORD_BYTES.value * given.users_event_days * DAY_S
    record = c.JOB_RECORD_BYTES.value * given.job_compression
    jobs = sum(
        workload.jobs_per_s(load)
        * record
        * DAY_S
        * (given.low_jobs_days if load.priority < 5 else given.jobs_days)
        for load in workload.tasks
    )
    tables = workload.users * (c.INPUT_BYTES.value + c.HISTORY_BYTES.value) * given.changelog_dirt
    return (events + jobs + tables) * given.replication


def _cost(roles: tuple[RolePlan, ...], redis: float, kafka: float, given: Assumptions) -> float:
    """Of the roles, of Redis and one replica of it, and of Kafka's disk; brokers' machines are not in it."""
    cores = sum(role.replicas * role.cores for role in roles) + 2
    memory = sum(role.replicas * role.memory_bytes for role in roles) + 2 * redis
    hourly = cores * given.per_core_hour + memory / c.GIB * given.per_gib_hour
    return hourly * HOURS_A_MONTH + kafka / c.GIB * given.per_disk_gib_month
