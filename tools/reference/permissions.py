"""permissions.md: what each role must be allowed in Kafka and Redis, from the code that is tested with it."""

from __future__ import annotations

from streams.cache.names import RedisNames
from streams.cache.permissions import role_rules
from streams.contracts.topics import TopicNames
from streams.kafka.permissions import Grant, role_grants
from streams.settings import Settings
from tools.reference.markdown import code, page, table

_INTRO = """
The least that each role needs, on servers that ask. `precompute access kafka` and `precompute access redis`
print the commands with the names of your settings. The tests start a broker with an authorizer and a Redis
with users, grant exactly this, run every role, and try what is not granted. How to use it:
[secure](../how-to/secure.md).

`publisher` is an upstream service, `topics` whoever runs `precompute topics create` (and the doctor, for the
configuration of topics), `training` whoever runs `precompute predictor train`, `client` a program that reads
answers with the Python client.
"""


def permissions_page() -> str:
    return page(
        "Permissions",
        "streams/kafka/permissions.py and streams/cache/permissions.py",
        _INTRO,
        _kafka(),
        _redis(),
    )


def _kafka() -> str:
    rows = [
        [code(role), grant.resource, ", ".join(grant.operations), _names(grant)]
        for role, grants in role_grants(_settings()).items()
        for grant in grants
    ]
    text = "## Kafka\n\nRead and Write imply Describe; Write implies what an idempotent producer needs.\n\n"
    return text + table(["role", "resource", "operations", "names"], rows)


def _names(grant: Grant) -> str:
    """The catalogue has twenty topics: a role that may see all of them says so in a word."""
    prefix = TopicNames().prefix
    if len(grant.names) > 20:
        return "every topic of [the catalogue](topics.md)"
    star = "*" if grant.is_prefix else ""
    jobs = [name for name in grant.names if name.startswith(f"{prefix}jobs.p")]
    shown = [code(name + star) for name in grant.names if name not in jobs]
    if jobs:
        shown.append(f"{code(jobs[0])} to {code(jobs[-1].removeprefix(prefix))}")
    return ", ".join(shown)


def _redis() -> str:
    rules = role_rules(RedisNames(Settings.model_fields["namespace"].default))
    rows = [[code(role), code(rule)] for role, rule in rules.items()]
    text = "## Redis\n\nRules of `ACL SETUSER`, behind a user's name, `on` and its password.\n\n"
    return text + table(["role", "rules"], rows)


def _settings() -> Settings:
    """The defaults, whatever stands in the environment of who writes the page."""
    names = {name: field.default for name, field in Settings.model_fields.items()}
    return Settings.model_construct(**names)
