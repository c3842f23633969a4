"""Which version serves: `precompute predictor promote` and `rollback`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from predictor.options import STORE, Store, reporting
from streams.contracts.errors import PrecomputeError

if TYPE_CHECKING:
    from predictor.registry import Registry
    from predictor.shadow import Comparison

#: Champion, challenger, and how they compare on the events of the running processes; None without a pair.
LiveReader = Callable[[], "tuple[str, str, Comparison] | None"]


def add_switching(app: typer.Typer, read_live: LiveReader | None = None) -> None:
    """`promote` and `rollback`; `read_live` gives what the running processes measured."""

    @app.command()
    @reporting
    def promote(
        version: str,
        reason: Annotated[str, typer.Option(help="Why; kept in the audit.")],
        store: Store = STORE,
        on: Annotated[
            Path | None, typer.Option(help="A log newer than both trainings, to compare on.")
        ] = None,
        *,
        live: Annotated[
            bool, typer.Option(help="Compare by what the running processes measured side by side.")
        ] = False,
        force: Annotated[bool, typer.Option(help="Promote without a comparison.")] = False,
    ) -> None:
        """Let a version serve: after a comparison on events newer than both trainings, or by force."""
        from predictor.registry import Registry  # noqa: PLC0415 - heavy

        registry = Registry(store)
        if not force and registry.current() is not None:
            _require_gain(_compare(registry, version, on, read_live if live else None), version)
        current = registry.promote(version, reason=reason, forced=force)
        typer.echo(f"{current.version} serves now; running processes load it within seconds")

    @app.command()
    @reporting
    def rollback(
        reason: Annotated[str, typer.Option(help="Why; kept in the audit.")], store: Store = STORE
    ) -> None:
        """Let the version before the current one serve again."""
        from predictor.registry import Registry  # noqa: PLC0415 - heavy

        current = Registry(store).rollback(reason=reason)
        typer.echo(f"{current.version} serves again; {current.previous} was taken back")


def _compare(registry: Registry, version: str, on: Path | None, read_live: LiveReader | None) -> Comparison:
    from predictor.dataset import read_log  # noqa: PLC0415 - heavy
    from predictor.lifecycle import compare_on  # noqa: PLC0415

    current = registry.current()
    assert current is not None
    if read_live is not None:
        return _compared_live(read_live, current.version, version)
    if on is None:
        raise typer.BadParameter("give --on a log newer than both trainings, --live, or --force")
    champion, served = registry.load(current.version)
    challenger, offered = registry.load(version)
    after_ms = max(served.last_ms, offered.last_ms)
    return compare_on(read_log(on), champion, challenger, after_ms=after_ms)


def _compared_live(read_live: LiveReader, champion: str, challenger: str) -> Comparison:
    found = read_live()
    if found is None or (found[0], found[1]) != (champion, challenger):
        compared = f"they compare {found[1]} with {found[0]}" if found else "nobody compares anything"
        raise PrecomputeError(
            f"the running processes have not compared {challenger} with {champion}: {compared}; "
            "train a version and let it run beside the one that serves, or give --on a log"
        )
    return found[2]


def _require_gain(found: Comparison, version: str) -> None:
    """Refuses a challenger that is not better than the version that serves."""
    from predictor.shadow import Verdict  # noqa: PLC0415 - heavy

    typer.echo(
        f"{found.events} events: log-loss gain {found.gain:.4f} [{found.low:.4f}, {found.high:.4f}], "
        f"calibration error {found.champion_ece:.4f} -> {found.challenger_ece:.4f}: {found.verdict}",
        err=True,
    )
    if found.verdict is not Verdict.BETTER:
        raise PrecomputeError(f"{version} is not promoted: {found.verdict}; --force --reason overrides")
