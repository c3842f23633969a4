"""Kafka: reachable, new enough, its topics and groups, what this user may do there, its clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.contracts.errors import UnavailableError
from streams.contracts.topics import RETRY_DELAYS
from streams.doctor.findings import Notes
from streams.doctor.groups import describe_groups
from streams.doctor.kafka_version import NEEDS, broker_age
from streams.doctor.permissions import PermissionsLook
from streams.doctor.topics import TopicsLook
from streams.kafka.config import KAFKA_LOG, librdkafka_config
from streams.kafka.lag import GroupLag
from streams.kafka.permissions import role_grants
from streams.kafka.topics import TopicAdmin
from streams.settings import Settings

ANSWER_WITHIN_S = 10.0
#: Below this a difference of clocks may be a record on its way.
_CLOCK_AHEAD_S = 2.0


class KafkaLook:
    """`role` names the one whose access list is checked; None asks which this user could be."""

    def __init__(self, settings: Settings, role: str | None = None) -> None:
        self._settings = settings
        self._role = role

    async def __call__(self, notes: Notes) -> None:
        admin = TopicAdmin(self._settings)
        metadata = await asyncio.to_thread(admin.metadata)
        notes.ok("reached", f"{len(metadata.brokers)} brokers at {self._settings.kafka_bootstrap_servers}")
        await self._version(notes)
        await asyncio.to_thread(TopicsLook(self._settings, admin, metadata).look, notes)
        there = [name for name in self._settings.topics.events if name in metadata.topics]
        await asyncio.to_thread(self._ask, notes, there)
        await self._lag(notes)

    async def _version(self, notes: Notes) -> None:
        age = await broker_age(self._settings)
        if age.is_old:
            notes.warn("version", age.text, f"use {NEEDS}: nothing older is tested")
        else:
            notes.ok("version", age.text)

    def _ask(self, notes: Notes, events: list[str]) -> None:
        client = AdminClient(librdkafka_config(self._settings) | {"log_level": 0}, logger=KAFKA_LOG)
        self._clock(notes, client, events)
        self._groups(notes, client)
        PermissionsLook(role_grants(self._settings), self._role).look(notes, client)

    def _clock(self, notes: Notes, client: AdminClient, events: Iterable[str]) -> None:
        """The broker stamps events, so none of them can be from our future."""
        places = [
            TopicPartition(name, number) for name in events for number in range(self._settings.partitions)
        ]
        if not places:
            return
        newest = -1
        spec = OffsetSpec.max_timestamp()
        for future in client.list_offsets(
            dict.fromkeys(places, spec), request_timeout=ANSWER_WITHIN_S
        ).values():
            try:
                newest = max(newest, future.result().timestamp)
            except KafkaException:
                continue
        ahead = newest / 1000 - time.time()
        if ahead > _CLOCK_AHEAD_S:
            notes.fail(
                "clock",
                f"the newest event is stamped {ahead:.0f} s later than it is here",
                "set both clocks by NTP: ages, retention and expiry are judged by them",
            )
        elif newest < 0:
            notes.ok("clock", "no event yet to compare with")
        else:
            notes.ok("clock", f"no event is stamped later than now; the newest is {-ahead:.0f} s old")

    def _groups(self, notes: Notes, client: AdminClient) -> None:
        settings = self._settings
        roles = {settings.group_streams: "streams", settings.group_worker: "worker"}
        for name, group in describe_groups(client, list(roles)).items():
            if isinstance(group, KafkaError):
                notes.warn("groups", f"{name}: {group.name()}", "let this user describe it, or look again")
            elif not group.members:
                notes.warn("groups", f"{name} has no member", f"start `precompute {roles[name]}`")
            elif group.state != ConsumerGroupState.STABLE:
                seen = f"{name} is {group.state.name.lower()}"
                notes.warn("groups", seen, "look again; if it stays, see docs/troubleshooting.md")
            else:
                notes.ok("groups", f"{name} is stable with {len(group.members)} members")

    async def _lag(self, notes: Notes) -> None:
        settings = self._settings
        asked = {
            settings.group_streams: settings.topics.events,
            settings.group_worker: (
                *settings.topics.all_jobs,
                *(settings.topics.retry(delay) for delay in RETRY_DELAYS),
            ),
        }
        for group, topics in asked.items():
            try:
                behind = await GroupLag(settings, group, topics).read()
            except UnavailableError as exc:
                notes.warn("lag", f"that of {group} is not known: {exc}", "look again in a moment")
            else:
                notes.ok("lag", f"{group} has {sum(behind.values())} records to read")
