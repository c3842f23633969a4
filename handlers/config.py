"""Settings that only handlers read, from `PRECOMPUTE_*` variables; a wrong one stops the start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_origin

import msgspec

from streams.contracts.errors import ConfigurationError

PREFIX = "PRECOMPUTE_"


class HandlerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Each field is the variable `PRECOMPUTE_<FIELD>`; keys of providers keep their usual names."""

    #: `openai` (any compatible server), `anthropic`, or "" for the local grammar. Unset, a key decides.
    llm_provider: str = ""
    llm_url: str = ""
    llm_model: str = ""
    llm_timeout_s: float = 30.0
    llm_max_tokens: int = 1200
    #: Tokens and US dollars spent per day and process before the local grammar answers instead.
    llm_daily_tokens: int = 500_000
    llm_daily_usd: float = 5.0
    #: US dollars per million tokens, for the money budget; 0 counts tokens alone.
    llm_usd_per_mtoken: float = 0.0
    openai_api_key: str = ""
    anthropic_api_key: str = ""

    #: Folder of a CTranslate2 Whisper model; "" takes the one of the captions extra.
    caption_model_dir: str = ""

    #: `history`, an SQLAlchemy URL, or an https address: where dashboards get their rows from.
    dashboard_source: str = "history"

    #: `folder`, or `s3://bucket/prefix`.
    artifact_store: str = "folder"
    s3_endpoint: str = ""
    s3_region: str = "us-east-1"
    aws_access_key_id: str = ""
    aws_secret_access_key: str = ""

    #: JSON file that points task types at HTTP services (docs/how-to/write-a-handler.md).
    http_handlers: str = ""
    #: What `precompute handlers manifest` wrote: the streams role and the API then import no handler.
    handler_manifest: str = ""
    #: Seconds an answer stays fresh, `ctr_prediction=3600,dashboard_data=600`; the same in all roles.
    task_ttl_s: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.llm_provider not in ("", "openai", "anthropic", "grammar"):
            raise ConfigurationError(
                f"PRECOMPUTE_LLM_PROVIDER: {self.llm_provider!r} is none of openai, anthropic, grammar"
            )
        for name in ("llm_timeout_s", "llm_max_tokens"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{PREFIX}{name.upper()}: must be above zero")
        _ = self.ttls

    @property
    def ttls(self) -> dict[str, float]:
        """Task type to seconds, of those that `task_ttl_s` names."""
        found: dict[str, float] = {}
        for pair in self.task_ttl_s:
            task, _, text = pair.partition("=")
            try:
                seconds = float(text)
            except ValueError:
                seconds = 0.0
            if not 0 < seconds < math.inf:
                raise ConfigurationError(
                    f"{PREFIX}TASK_TTL_S: {pair!r} is no task type with its seconds; "
                    "write it as ctr_prediction=3600,dashboard_data=600"
                )
            found[task.strip()] = seconds
        return found


#: Variables that go by a name others have given them.
_FOREIGN = {
    "openai_api_key": "OPENAI_API_KEY",
    "anthropic_api_key": "ANTHROPIC_API_KEY",
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
}


def load_handler_config(environ: Mapping[str, str]) -> HandlerConfig:
    """Reads the settings; raises `ConfigurationError` that names the variable and what is wrong."""
    return HandlerConfig(**read_settings(HandlerConfig, environ, variable_names()))


def variable_names() -> dict[str, str]:
    """The variable of each field."""
    return {name: _FOREIGN.get(name, PREFIX + name.upper()) for name in HandlerConfig.__struct_fields__}


def read_settings(
    kind: type[msgspec.Struct], environ: Mapping[str, str], names: Mapping[str, str]
) -> dict[str, Any]:
    """Values of a struct's fields from the variables that `names` gives them, those that are set.

    A list is separated by commas. Raises `ConfigurationError` that names the variable.
    """
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        text = environ.get(names.get(field.name, ""))
        if text is None:
            continue
        given: Any = text
        if get_origin(field.type) is tuple:
            given = [part.strip() for part in text.split(",") if part.strip()]
        try:
            values[field.name] = msgspec.convert(given, field.type, strict=False)
        except msgspec.ValidationError as exc:
            raise ConfigurationError(f"{names[field.name]}: {exc}") from exc
    return values
