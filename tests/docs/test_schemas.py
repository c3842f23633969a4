"""The published schemas take what the code takes, and refuse what it refuses."""

from __future__ import annotations

import json
from typing import Any

import httpx
import jsonschema
import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from handlers.registry import load_handlers
from handlers.testing import HandlerTest
from streams.contracts.cloudevents import RecordPlace, decode_event, encode_binary
from streams.contracts.errors import EventError
from streams.contracts.events import EventType, decode_data
from streams.contracts.jobs import Why, encode_job, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.topics import TopicNames
from streams.settings import load_settings
from streams.web.app import create_app
from tools.reference.pages import FOLDER
from tools.reference.schemas import all_schemas

PLACE = RecordPlace("precompute.events.users", 0, 7, 1_795_600_800_000)

GOOD: dict[str, list[dict[str, Any]]] = {
    "video.uploaded": [
        {"user_id": "u1", "video_id": "v1", "uri": "/media/a.mp4"},
        {"user_id": "u1", "video_id": "v1", "url": "https://media.example/a.mp4", "title": None, "new": [1]},
    ],
    "campaign.created": [
        {"user_id": "u1", "campaign_id": "c1", "brief": "Half price", "budget": 100.5, "history": []},
        {"user_id": "u1", "campaign_id": "c1", "brief": {"product": "x"}, "order_value": {"amount": 4}},
    ],
    "user.logged_in": [{"user_id": "u1"}, {"user_id": "u1", "account": {"currency": "EUR"}}],
    "user.acted": [{"user_id": "u1", "action": "view_ctr", "entity": "video", "entity_id": "v1"}],
    "entity.changed": [{"user_id": "u1", "entity": "video", "entity_id": "v1"}],
}
BAD: dict[str, list[dict[str, Any]]] = {
    "video.uploaded": [
        {"user_id": "u1", "video_id": "v1"},
        {"user_id": "u1", "uri": "x"},
        {"user_id": "a:b", "video_id": "v1", "uri": "x"},
        {"user_id": "u1", "video_id": "v1\n", "uri": "x"},
        {"user_id": "u1", "video_id": "v1", "uri": "x", "duration_s": -1},
    ],
    "campaign.created": [
        {"user_id": "u1", "campaign_id": "c1"},
        {"user_id": "u1", "campaign_id": 1, "brief": "x"},
    ],
    "user.logged_in": [{"user_id": ""}, {"user_id": "u1", "account": []}],
    "user.acted": [{"user_id": "u1"}, {"user_id": "u1", "action": ""}],
    "entity.changed": [{"user_id": "u1", "entity": "video"}],
}


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((FOLDER / "schemas" / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


CASES = [(kind, data) for kind, many in GOOD.items() for data in many]
REFUSED = [(kind, data) for kind, many in BAD.items() for data in many]


def test_every_event_type_has_cases() -> None:
    assert set(GOOD) == set(BAD) == {str(kind) for kind in EventType}


@pytest.mark.parametrize(("kind", "data"), CASES)
def test_a_real_record_keeps_to_its_schema(kind: str, data: dict[str, Any]) -> None:
    value, headers = encode_binary(kind, json.dumps(data).encode(), source="tests", event_id="e-1")
    event = decode_event(value, headers, PLACE)
    validator(f"events/{kind}").validate(json.loads(event.raw_data))


@pytest.mark.parametrize(("kind", "data"), REFUSED)
def test_what_the_code_refuses_the_schema_refuses(kind: str, data: dict[str, Any]) -> None:
    with pytest.raises(EventError):
        decode_data(kind, json.dumps(data).encode())
    assert not validator(f"events/{kind}").is_valid(data)


@pytest.mark.parametrize(("kind", "data"), CASES)
@pytest.mark.parametrize("on_top", [False, True])
def test_plain_json_keeps_to_its_schema(kind: str, data: dict[str, Any], *, on_top: bool) -> None:
    event: dict[str, Any] = {"type": kind, "id": "e-1", "data": dict(data)}
    if on_top:
        event["user_id"] = event["data"].pop("user_id")
    decode_event(json.dumps(event).encode(), [], PLACE)
    validator("events/plain").validate(event)


@pytest.mark.parametrize(("kind", "data"), CASES)
def test_structured_mode_keeps_to_its_schema(kind: str, data: dict[str, Any]) -> None:
    event = {"specversion": "1.0", "type": kind, "source": "tests", "id": "e-1", "data": data}
    headers = [("content-type", b"application/cloudevents+json")]
    decode_event(json.dumps(event).encode(), headers, PLACE)
    validator("events/structured").validate(event)


def test_whole_events_without_what_they_need_are_refused() -> None:
    nobody = {"type": "user.logged_in", "data": {}}
    assert not validator("events/plain").is_valid(nobody)
    assert not validator("events/plain").is_valid({"type": "user.vanished", "data": {"user_id": "u1"}})
    assert not validator("events/structured").is_valid({"specversion": "0.3", "type": "user.logged_in"})


def test_a_job_keeps_to_its_schema() -> None:
    job = new_job(
        CacheKey("ctr_prediction", "video", "v1"),
        cause="tests/e-1",
        user_id="u1",
        priority=8,
        why=Why.UPLOAD,
        created_at=1_795_600_800_000,
        input_version=3,
        payload=b'{"uri": "x"}',
    )
    encoded = json.loads(encode_job(job))
    validator("job").validate(encoded)
    assert not validator("job").is_valid({**encoded, "priority": 11})


def test_results_keep_to_their_schemas() -> None:
    """An object without a field is refused by the type and by its schema alike."""
    registry = load_handlers(environ={})
    assert {f"results/{task}" for task in registry} <= set(all_schemas(registry))
    for task, one in registry.items():
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({}, one.result_type)
        assert not validator(f"results/{task}").is_valid({}), task


def test_a_computed_result_keeps_to_its_schema() -> None:
    registry = load_handlers(environ={})
    rows = [
        {"date": f"2026-11-{day:02d}", "impressions": 1000, "clicks": 30, "spend": 10.0}
        for day in range(1, 15)
    ]
    answer = HandlerTest(registry["campaign_analytics"]).run({"campaign_id": "c1", "history": rows})
    validator("results/campaign_analytics").validate(answer)


def test_asyncapi_describes_the_topics_that_there_are() -> None:
    document = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())
    names = TopicNames()
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert document["asyncapi"] == "3.0.0"
    assert addresses >= {*names.events, *names.all_jobs, names.jobs_dlq, names.events_dlq}
    assert {operation["action"] for operation in document["operations"].values()} == {"send", "receive"}


def test_every_reference_of_asyncapi_leads_somewhere() -> None:
    document = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())
    found = list(_references(document))
    assert len(found) > 30
    for reference in found:
        file, _, path = reference.partition("#")
        if file:
            assert (FOLDER / file).is_file(), reference
            continue
        part = document
        for name in path.strip("/").split("/"):
            part = part[name.replace("~1", "/")]


def _references(part: Any) -> Any:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def test_every_binary_message_names_its_headers() -> None:
    document = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())
    headers = document["components"]["messageTraits"]["cloudEvent"]["headers"]
    _, real = encode_binary("user.acted", b"{}", source="tests", event_id="e-1")
    sent = {name: value.decode() for name, value in real if name.startswith("ce_")}
    jsonschema.validate(sent, headers)
    assert set(sent) <= set(headers["properties"])


async def test_the_api_has_the_schemas_where_publishers_look() -> None:
    transport = httpx.ASGITransport(app=create_app(load_settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for base in ("", "/api/precompute"):
            for kind, name in (("events", "user.acted"), ("results", "ctr_prediction")):
                names = (await client.get(f"{base}/schemas/{kind}/")).json()["schemas"]
                found = await client.get(f"{base}/schemas/{kind}/{name}")
                assert name in names
                assert found.json() == json.loads((FOLDER / "schemas" / kind / f"{name}.json").read_text())
            missing = await client.get(f"{base}/schemas/events/user.vanished")
            assert missing.status_code == 404
            assert "known are" in missing.json()["detail"]
