"""HTTP services, stores and captions: the small parts around the handlers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from handlers import Reject, Retry, http_service
from handlers.artifacts import FolderStore
from handlers.captions import Cue, srt_of, vtt_of
from handlers.config import HandlerConfig
from handlers.http_client import HttpCaller
from handlers.http_service import HttpHandlerConfig, make_http_handler
from handlers.json_schema import problem_with
from handlers.manifest import read_manifest
from handlers.registry import load_handlers
from handlers.s3 import S3Store, sign
from handlers.testing import HandlerTest
from streams.contracts.errors import ConfigurationError

CONFIG = HttpHandlerConfig(
    task="ctr_prediction",
    version="7",
    url="https://ml.example/ctr/{entity_id}",
    headers={"authorization": "Bearer ${ML_TOKEN}"},
    request={"name": "input.title", "who": "context.user_id"},
    result="data.0",
)
ENVIRON = {"ML_TOKEN": "secret"}


@pytest.fixture
def answers(monkeypatch):
    """What the service answers, in order, and the requests it got."""
    answers: list[httpx.Response] = []
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers.pop(0)

    async def pause(seconds: float) -> None:
        del seconds

    caller = HttpCaller(transport=httpx.MockTransport(answer), pause=pause)
    monkeypatch.setattr(http_service, "_caller", lambda: caller)
    return answers, asked


def test_a_service_answers_by_configuration_alone(answers) -> None:
    given, asked = answers
    given.append(httpx.Response(200, json={"data": [{"ctr": 0.02}]}))
    kit = HandlerTest(make_http_handler(CONFIG, environ=ENVIRON))
    assert kit.run({"title": "Shoes"}, key="ctr_prediction:video:a/../b") == {"ctr": 0.02}
    assert asked[0].url.raw_path == b"/ctr/a%2F..%2Fb"
    assert asked[0].headers["authorization"] == "Bearer secret"
    assert json.loads(asked[0].content) == {"name": "Shoes", "who": "local"}
    assert "traceparent" not in asked[0].headers


def test_a_service_can_continue_the_job_s_trace(answers) -> None:
    given, asked = answers
    given.append(httpx.Response(200, json={"data": [{"ctr": 0.02}]}))
    kit = HandlerTest(make_http_handler(CONFIG, environ=ENVIRON))
    traceparent = f"00-{'a1' * 16}-{'b2' * 8}-01"
    kit.run({"title": "Shoes"}, traceparent=traceparent)
    assert asked[0].headers["traceparent"] == traceparent


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(404), "http_404"),
        (httpx.Response(200, content=b"<html>"), "bad_answer"),
        (httpx.Response(200, json={"data": []}), "bad_answer"),
        (httpx.Response(307, headers={"location": "http://10.0.0.1/"}), "http_307"),
    ],
)
def test_a_wrong_answer_is_a_reason(answers, answer, reason) -> None:
    answers[0].append(answer)
    outcome = HandlerTest(make_http_handler(CONFIG, environ=ENVIRON)).outcome({"title": "Shoes"})
    assert isinstance(outcome, Reject)
    assert outcome.reason == reason


def test_a_service_that_stays_away_is_tried_again_later(answers) -> None:
    answers[0].extend(httpx.Response(503) for _ in range(3))
    assert isinstance(
        HandlerTest(make_http_handler(CONFIG, environ=ENVIRON)).outcome({"title": "Shoes"}), Retry
    )
    assert len(answers[1]) == 3


def test_what_the_body_needs_and_the_input_lacks_is_named(answers) -> None:
    outcome = HandlerTest(make_http_handler(CONFIG, environ=ENVIRON)).outcome({})
    assert str(outcome) == "title: missing"


def test_a_secret_that_is_not_set_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="variable ML_TOKEN"):
        make_http_handler(CONFIG, environ={})


def test_a_service_takes_a_builtin_handlers_place(tmp_path: Path) -> None:
    file = tmp_path / "services.json"
    file.write_text(
        json.dumps(
            {
                "handlers": [
                    {"task": "ctr_prediction", "version": "7", "url": "https://ml.example/x"},
                    {
                        "task": "heatmap",
                        "version": "1",
                        "url": "https://ml.example/y",
                        "entity": "video",
                        "ttl_s": 60,
                        "on": ["video.uploaded"],
                        "answers": ["open_heatmap"],
                    },
                ]
            }
        )
    )
    registry = load_handlers(environ={"PRECOMPUTE_HTTP_HANDLERS": str(file)})
    assert (registry["ctr_prediction"].kind, registry["ctr_prediction"].version) == ("io", "7")
    assert registry.answers["open_heatmap"] == ("heatmap",)
    for wrong in ('{"handlers": [{"task": "x"}]}', "{", '{"handlers": [], "typo": 1}'):
        file.write_text(wrong)
        with pytest.raises(ConfigurationError, match="PRECOMPUTE_HTTP_HANDLERS"):
            load_handlers(environ={"PRECOMPUTE_HTTP_HANDLERS": str(file)})


def test_the_answer_is_checked_against_a_schema(tmp_path: Path, answers) -> None:
    (tmp_path / "ctr.json").write_text(
        json.dumps(
            {"type": "object", "required": ["ctr"], "properties": {"ctr": {"type": "number", "maximum": 1}}}
        )
    )
    config = HttpHandlerConfig(
        task="ctr_prediction", version="1", url="https://ml.example", schema="ctr.json"
    )
    answers[0].extend(httpx.Response(200, json=body) for body in ({"ctr": 2}, {}, {"ctr": 0.5}))
    kit = HandlerTest(make_http_handler(config, tmp_path))
    assert "$.ctr is out of range" in str(kit.outcome({}))
    assert "$.ctr is missing" in str(kit.outcome({}))
    assert kit.run({}) == {"ctr": 0.5}


@pytest.mark.parametrize(
    ("value", "schema", "said"),
    [
        (True, {"type": "integer"}, "$ is not integer"),
        (None, {"type": ["string", "null"]}, None),
        ([1, "a"], {"items": {"type": "number"}}, "$[1] is not number"),
        ("c", {"enum": ["a", "b"]}, "$ is none of ['a', 'b']"),
        ({"a": {"b": 1}}, {"properties": {"a": {"required": ["c"]}}}, "$.a.c is missing"),
    ],
)
def test_schemas_name_the_place(value, schema, said) -> None:
    assert problem_with(value, schema) == said


def test_a_manifest_says_the_same_as_the_handlers(tmp_path: Path) -> None:
    registry = load_handlers(["sample_handlers"])
    file = tmp_path / "handlers.json"
    file.write_bytes(registry.manifest.encode())
    again = read_manifest(file)
    assert dict(again.catalogue) == dict(registry.catalogue)
    assert (again.triggers, again.answers) == (registry.triggers, registry.answers)
    file.write_text("[{}]")
    with pytest.raises(ConfigurationError, match="handler manifest"):
        read_manifest(file)


def test_a_folder_keeps_one_file_per_content(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    first = store.put(b"abc", folder="v1", suffix=".jpg", media_type="image/jpeg")
    assert store.put(b"abc", folder="v1", suffix=".jpg", media_type="image/jpeg") == first
    (file,) = (tmp_path / "v1").iterdir()
    assert first.uri == file.as_uri()
    assert file.read_bytes() == b"abc"


BUCKET = HandlerConfig(
    artifact_store="s3://pictures/thumbs", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="key"
)


def test_a_bucket_gets_a_signed_put() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    store = S3Store(BUCKET, transport=httpx.MockTransport(answer))
    kept = store.put(b"abc", folder="v1", suffix=".jpg", media_type="image/jpeg")
    assert kept.uri.startswith("s3://pictures/thumbs/v1/ba7816bf")
    assert asked[0].headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    away = S3Store(BUCKET, transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    with pytest.raises(Retry):
        away.put(b"abc", folder="v1", suffix=".jpg", media_type="image/jpeg")
    with pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID"):
        S3Store(HandlerConfig(artifact_store="s3://pictures"))


def test_the_signature_is_that_of_the_published_algorithm() -> None:
    """Recomputed step by step from the documentation's description of a GET of an empty body."""
    config = HandlerConfig(
        s3_region="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    when = datetime(2013, 5, 24, tzinfo=UTC)
    # The example "GET Bucket (List Objects)" of the Signature Version 4 documentation.
    headers = sign(config, "GET", "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J", empty, when)
    assert headers["authorization"].endswith(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_captions_escape_what_would_end_a_cue() -> None:
    cues = [
        Cue(start_s=0.0, end_s=1.5, text="a <b> & c\n\nd --> e"),
        Cue(start_s=3661.001, end_s=3662, text="x"),
    ]
    assert vtt_of(cues) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt;b&gt; &amp; c d --&gt; e\n\n"
        "01:01:01.001 --> 01:01:02.000\nx\n"
    )
    assert srt_of(cues).startswith("1\n00:00:00,000 --> 00:00:01,500\na <b> & c d -> e\n\n2\n01:01:01,001")
    assert vtt_of([]) == "WEBVTT\n"
