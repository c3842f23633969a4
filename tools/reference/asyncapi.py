"""asyncapi.yaml: the topics and their messages, as AsyncAPI 3 describes them.

https://www.asyncapi.com/docs/reference/specification/v3.0.0; Kafka bindings 0.5.0.
"""

from __future__ import annotations

from typing import Any

import yaml

from streams.contracts.events import EventType, topic_of
from streams.contracts.topics import Topic, TopicNames, catalogue
from streams.settings import Settings
from streams.version import VERSION

Part = dict[str, Any]

_DESCRIPTION = """Events that upstream services publish, and the jobs and dead letters made of them.

Events are CloudEvents 1.0 in binary or structured mode, or plain JSON. The record's key is the user id; the
partitioner is murmur2 (in librdkafka: partitioner=murmur2_random). Unknown fields are kept and ignored.
"""
_KEY = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$", "description": "the user id, in UTF-8"}
_CACHE_KEY = {"type": "string", "description": "{task}:{entity}:{id}"}


def asyncapi_file() -> str:
    text: str = yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=110)
    note = "# Made by `python -m tools.reference` from streams/contracts/; change that, not this file.\n"
    return note + text


def document() -> Part:
    topics = {topic.name: topic for topic in _described()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "precompute",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_channel_name(name): _channel(topic) for name, topic in topics.items()},
        "operations": _operations(list(topics)),
        "components": {"messages": _messages(), "messageTraits": {"cloudEvent": _binary_trait()}},
    }


def _described() -> list[Topic]:
    """The topics others may read or write; Faust's own are nobody's business."""
    names = TopicNames()
    partitions: int = Settings.model_fields["partitions"].default
    return [topic for topic in catalogue(names, partitions) if topic.name.startswith(names.prefix)]


def _channel_name(topic: str) -> str:
    return topic.removeprefix(TopicNames().prefix)


def _channel(topic: Topic) -> Part:
    configuration: Part = {"max.message.bytes": topic.max_message_bytes}
    if topic.retention_s is not None:
        configuration |= {"cleanup.policy": ["delete"], "retention.ms": topic.retention_s * 1000}
    return {
        "address": topic.name,
        "messages": {name: _ref("messages", name) for name in _carried(topic.name)},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "replicas": Settings.model_fields["replication"].default,
                "topicConfiguration": configuration,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _carried(topic: str) -> list[str]:
    names = TopicNames()
    if topic in names.events:
        own = [str(kind) for kind in EventType if topic_of(kind, names) == topic]
        return [*own, "structured", "plain"]
    if topic == names.events_dlq:
        return ["deadEvent"]
    return ["deadJob"] if topic == names.jobs_dlq else ["job"]


def _operations(topics: list[str]) -> Part:
    """What this system does: it receives events, sends jobs and letters, and receives its own jobs."""
    operations: Part = {}
    for topic in topics:
        name = _channel_name(topic)
        channel = {"$ref": f"#/channels/{name}"}
        if not topic.endswith("dlq"):
            operations[f"receive.{name}"] = {"action": "receive", "channel": channel}
        if not name.startswith("events.") or topic.endswith("dlq"):
            operations[f"send.{name}"] = {"action": "send", "channel": channel}
    return operations


def _messages() -> Part:
    events = {str(kind): _event_message(str(kind)) for kind in EventType}
    return {**events, **_whole_messages(), **_own_messages()}


def _event_message(kind: str) -> Part:
    return {
        "name": kind,
        "title": f"{kind}, binary mode",
        "contentType": "application/json",
        "traits": [_ref("messageTraits", "cloudEvent")],
        "payload": {"$ref": f"schemas/events/{kind}.json"},
    }


def _whole_messages() -> Part:
    kinds = {"structured": "application/cloudevents+json", "plain": "application/json"}
    return {
        name: {
            "name": name,
            "title": f"any event, {name}",
            "contentType": content_type,
            "payload": {"$ref": f"schemas/events/{name}.json"},
            "bindings": _key_binding(_KEY),
        }
        for name, content_type in kinds.items()
    }


def _own_messages() -> Part:
    place = {"type": "string", "description": "topic/partition/offset it came from"}
    why = {"precompute-reason": {"type": "string"}, "precompute-error": {"type": "string"}}
    event: Part = {**why, "precompute-source": place, "precompute-truncated": {"type": "string"}}
    job: Part = {**event, "precompute-attempts": {"type": "string"}, "precompute-trace": {"type": "string"}}
    trace: Part = {**_trace_headers(), "precompute-due": {"type": "string"}}
    return {
        "job": {
            "name": "job",
            "title": "a job",
            "headers": {"type": "object", "properties": trace},
            "payload": {"$ref": "schemas/job.json"},
            "bindings": _key_binding(_CACHE_KEY),
        },
        "deadJob": _letter("a job record that was given up", job),
        "deadEvent": _letter("an event record that could not be read", event),
    }


def _trace_headers() -> Part:
    """W3C Trace Context and Baggage: from an event to its jobs, the last two byte by byte."""
    return {name: {"type": "string"} for name in ("traceparent", "tracestate", "baggage")}


def _letter(title: str, headers: Part) -> Part:
    required = ["precompute-reason", "precompute-error", "precompute-source"]
    return {
        "title": title,
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "required": required, "properties": headers},
        "payload": {"description": "the original bytes"},
    }


def _binary_trait() -> Part:
    text = {"type": "string", "minLength": 1, "maxLength": 1024}
    headers = {
        "ce_specversion": {"const": "1.0"},
        "ce_type": {"enum": [str(kind) for kind in EventType]},
        "ce_source": text,
        "ce_id": text,
        "ce_time": {"type": "string", "format": "date-time"},
        **_trace_headers(),
    }
    required = ["ce_specversion", "ce_type", "ce_source", "ce_id"]
    return {
        "headers": {"type": "object", "required": required, "properties": headers},
        "bindings": _key_binding(_KEY),
    }


def _key_binding(key: Part) -> Part:
    return {"kafka": {"key": dict(key), "bindingVersion": "0.5.0"}}


def _ref(kind: str, name: str) -> Part:
    return {"$ref": f"#/components/{kind}/{name}"}
