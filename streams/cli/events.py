"""`precompute publish`: an event into Kafka, as an upstream service would send it."""

from __future__ import annotations

import asyncio
import uuid
from typing import Annotated, Any

import msgspec
import typer

from streams.cli.output import JsonFlag, print_json
from streams.contracts.cloudevents import encode_binary
from streams.contracts.errors import EventError
from streams.contracts.events import decode_data, topic_of
from streams.contracts.ids import is_id
from streams.kafka.producer import AckedProducer
from streams.settings import Settings, load_settings

SOURCE = "precompute/cli"


def register(app: typer.Typer) -> None:
    app.command()(publish)


def publish(
    event_type: Annotated[str, typer.Argument(metavar="TYPE", help="For example video.uploaded.")],
    user: Annotated[str, typer.Option(help="The user it is about: the record's key.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="K=V", help="A field of the data; V is JSON, or else a text."),
    ] = None,
    event_id: Annotated[
        str | None, typer.Option("--id", help="Its id; the same id twice is one event.")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option(help="Check and print it, send nothing.")] = False,
    json: JsonFlag = False,
) -> None:
    """Publish one event and wait until Kafka has it."""
    data: dict[str, Any] = {"user_id": user, **dict(_field(text) for text in set_ or [])}
    if not is_id(user):
        raise EventError("--user takes 1 to 128 of A-Za-z0-9._-", reason="schema", field="user")
    raw = msgspec.json.encode(data)
    decode_data(event_type, raw)
    settings = load_settings()
    topic = topic_of(event_type, settings.topics)
    chosen = event_id or uuid.uuid4().hex
    value, headers = encode_binary(event_type, raw, source=SOURCE, event_id=chosen)
    if not dry_run:
        asyncio.run(_send(settings, topic, value, user, list(headers)))
    shown = {"type": event_type, "id": chosen, "topic": topic, "data": data, "published": not dry_run}
    if json:
        print_json(shown)
    else:
        typer.echo(f"{'checked' if dry_run else 'published'} {event_type} {chosen} to {topic}")


def _field(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise typer.BadParameter(f"{text!r} is not K=V", param_hint="--set")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


async def _send(settings: Settings, topic: str, value: bytes, key: str, headers: list[Any]) -> None:
    producer = AckedProducer(settings)
    await producer.start()
    try:
        await producer.send(topic, value, key=key, headers=headers)
    finally:
        await producer.stop()
