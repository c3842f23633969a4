"""Language models over plain HTTP: OpenAI-compatible servers and Anthropic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from handlers.config import HandlerConfig
from handlers.variants.prompt import SCHEMA, SYSTEM, TOOL


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """How to ask one server: where, with which headers and body, and how to read its answer."""

    name: str
    model: str
    url: str
    headers: dict[str, str]
    body: Callable[[str, int], dict[str, Any]]
    read: Callable[[Any], tuple[str | bytes, int]]


def open_provider(config: HandlerConfig) -> Provider | None:
    """The provider of the settings; None where no key is set or the grammar is asked for."""
    if config.llm_provider == "grammar":
        return None
    if config.llm_provider == "anthropic" or (not config.llm_provider and not config.openai_api_key):
        return _anthropic(config) if config.anthropic_api_key else None
    return _openai(config) if config.openai_api_key else None


def _openai(config: HandlerConfig) -> Provider:
    """https://platform.openai.com/docs/guides/structured-outputs"""
    model = config.llm_model or "gpt-4o-mini"

    def body(text: str, max_tokens: int) -> dict[str, Any]:
        return {
            "model": model,
            "max_tokens": max_tokens,
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": TOOL, "strict": True, "schema": SCHEMA},
            },
        }

    def read(answer: Any) -> tuple[str | bytes, int]:
        return answer["choices"][0]["message"]["content"], int(answer["usage"]["total_tokens"])

    return Provider(
        name="openai",
        model=model,
        url=(config.llm_url or "https://api.openai.com/v1").rstrip("/") + "/chat/completions",
        headers={"authorization": f"Bearer {config.openai_api_key}"},
        body=body,
        read=read,
    )


def _anthropic(config: HandlerConfig) -> Provider:
    """https://docs.anthropic.com/en/api/messages, with the answer forced into one tool's input."""
    model = config.llm_model or "claude-3-5-haiku-latest"

    def body(text: str, max_tokens: int) -> dict[str, Any]:
        return {
            "model": model,
            "max_tokens": max_tokens,
            "system": SYSTEM,
            "messages": [{"role": "user", "content": text}],
            "tools": [{"name": TOOL, "description": "Hands over the variants.", "input_schema": SCHEMA}],
            "tool_choice": {"type": "tool", "name": TOOL},
        }

    def read(answer: Any) -> tuple[str | bytes, int]:
        used = next(part["input"] for part in answer["content"] if part["type"] == "tool_use")
        usage = answer["usage"]
        return msgspec.json.encode(used), int(usage["input_tokens"]) + int(usage["output_tokens"])

    return Provider(
        name="anthropic",
        model=model,
        url=(config.llm_url or "https://api.anthropic.com/v1").rstrip("/") + "/messages",
        headers={"x-api-key": config.anthropic_api_key, "anthropic-version": "2023-06-01"},
        body=body,
        read=read,
    )
