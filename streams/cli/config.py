"""`precompute config show`."""

from __future__ import annotations

import typer
from pydantic import SecretStr

from streams.cli.output import JsonFlag, print_json, print_table
from streams.settings import PREFIX, Settings, load_settings, variable_of

app = typer.Typer(help="The settings in force.", no_args_is_help=True)


@app.command()
def show(*, json: JsonFlag = False) -> None:
    """Every setting with its variable, value and meaning; secrets are masked."""
    from streams.cache.connection import safe_url

    settings = load_settings()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = _masked(value) if isinstance(value, SecretStr) else value
        if name == "redis_url":
            shown = safe_url(settings)
        rows.append([variable_of(name), shown, field.description or ""])
    for name, value in settings.kafka_security:
        shown = _masked(value) if isinstance(value, SecretStr) else value
        rows.append([f"{PREFIX}KAFKA_{name.upper()}", shown, "how Kafka is reached"])
    if json:
        print_json([{"variable": r[0], "value": r[1], "meaning": r[2]} for r in rows])
    else:
        print_table(["VARIABLE", "VALUE", "MEANING"], rows)


def _masked(value: SecretStr) -> str:
    return "***" if value.get_secret_value() else ""
