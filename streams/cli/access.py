"""`precompute access kafka|redis`: the least each role needs, as commands for who may grant it."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.output import JsonFlag, print_json
from streams.contracts.errors import ConfigurationError
from streams.settings import load_settings

app = typer.Typer(help="What each role must be allowed, and no more.", no_args_is_help=True)

RoleOption = Annotated[str | None, typer.Option(help="Only this role's.")]
UserOption = Annotated[
    str, typer.Option(help="The name of a role's user; {role} stands for the role.", metavar="NAME")
]
_USER = "precompute-{role}"


@app.command()
def kafka(*, role: RoleOption = None, user: UserOption = _USER, json: JsonFlag = False) -> None:
    """Print the kafka-acls.sh commands of each role."""
    from streams.kafka.permissions import grant_command, role_grants

    settings = load_settings()
    commands = {
        name: [
            grant_command(settings.kafka_bootstrap_servers, user.replace("{role}", name), grant)
            for grant in grants
        ]
        for name, grants in role_grants(settings).items()
    }
    _print(_chosen(commands, role), json=json)


@app.command()
def redis(*, role: RoleOption = None, user: UserOption = _USER, json: JsonFlag = False) -> None:
    """Print the ACL SETUSER command of each role; put a password of yours for PASSWORD."""
    from streams.cache.names import RedisNames
    from streams.cache.permissions import role_rules

    rules = role_rules(RedisNames(load_settings().namespace))
    commands = {
        name: [f"ACL SETUSER {user.replace('{role}', name)} on >PASSWORD {rule}"]
        for name, rule in rules.items()
    }
    _print(_chosen(commands, role), json=json)


def _chosen(commands: dict[str, list[str]], role: str | None) -> dict[str, list[str]]:
    if role is None:
        return commands
    if role not in commands:
        raise ConfigurationError(f"--role {role} is none of {', '.join(commands)}")
    return {role: commands[role]}


def _print(commands: dict[str, list[str]], *, json: bool) -> None:
    if json:
        print_json(commands)
        return
    for role, lines in commands.items():
        typer.echo(f"# {role}")
        for line in lines:
            typer.echo(line)
