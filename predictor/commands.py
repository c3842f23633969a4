"""`precompute predictor ...`: train, evaluate, show, promote, rollback, export.

Data goes to stdout, remarks to stderr; exit 0 done, 1 failed, 2 wrong use. Whoever mounts the commands
gives the reader of the action topic: this package knows no Kafka.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from predictor.options import STORE, AsJson, Store, reporting
from predictor.switching import LiveReader, add_switching

if TYPE_CHECKING:
    from predictor.archive import ModelMeta
    from predictor.dataset import Record
    from predictor.registry import Registry

#: Reads the archived `user.acted` and `user.logged_in` events, oldest first.
TopicReader = Callable[[], "list[Record]"]


class Source(StrEnum):
    """Where `train` and `export` take actions from."""

    TOPIC = "topic"
    CSV = "csv"
    PARQUET = "parquet"
    SYNTHETIC = "synthetic"


File = Annotated[
    Path | None, typer.Option(help="CSV, CSV.gz or Parquet: user, session, ts (seconds), action.")
]
From = Annotated[Source, typer.Option("--from", help="Where the actions come from.")]
Gap = Annotated[
    float, typer.Option(envvar="PRECOMPUTE_SESSION_GAP", help="Seconds of silence that end a session.")
]

_GAP_S = 1800.0


def build_app(read_topic: TopicReader | None = None, read_live: LiveReader | None = None) -> typer.Typer:
    """The sub-commands, with readers of the topic and of what running processes compared, where there are."""
    app = typer.Typer(no_args_is_help=True, help="What users do next: train, measure and switch the model.")
    _add_training(app, read_topic)
    _add_evaluation(app)
    _add_versions(app)
    add_switching(app, read_live)
    return app


def _add_training(app: typer.Typer, read_topic: TopicReader | None) -> None:
    @app.command()
    @reporting
    def train(
        source: From = Source.TOPIC,
        file: File = None,
        store: Store = STORE,
        session_gap: Gap = _GAP_S,
        *,
        as_json: AsJson = False,
    ) -> None:
        """Train a version and store it; it serves once promoted (the first one at once)."""
        from predictor.lifecycle import TrainingSource, train_version  # noqa: PLC0415 - heavy
        from predictor.registry import Registry  # noqa: PLC0415

        records = _read(source, file, read_topic)
        name = str(file) if file is not None else source.value
        registry = Registry(store)
        meta = train_version(
            records,
            TrainingSource(name, synthetic=source is Source.SYNTHETIC),
            registry,
            gap_ms=int(session_gap * 1000),
        )
        if registry.current() is None:
            registry.promote(meta.version, reason="the first version")
        _print_version(meta, as_json=as_json, current=_serves(registry, meta))

    @app.command()
    @reporting
    def export(
        to: Annotated[Path, typer.Argument(help="The Parquet file to write.")],
        source: From = Source.TOPIC,
        file: File = None,
    ) -> None:
        """Archive actions as Parquet, with the columns that `train` and `evaluate` read."""
        from predictor.dataset import write_parquet  # noqa: PLC0415 - heavy

        records = _read(source, file, read_topic)
        write_parquet(to, records)
        typer.echo(f"{len(records)} actions written to {to}")


def _add_evaluation(app: typer.Typer) -> None:
    @app.command()
    @reporting
    def evaluate(
        csv: Annotated[Path, typer.Option(help="CSV, CSV.gz or Parquet: user, session, ts, action.")],
        split: Annotated[str, typer.Option(help="Train/validation/test in per cent, by time.")] = "70/10/20",
        session_gap: Gap = _GAP_S,
        *,
        as_json: AsJson = False,
    ) -> None:
        """Measure the blend and simple baselines on any log of actions, split by time."""
        from predictor.dataset import read_log  # noqa: PLC0415 - heavy
        from predictor.evaluation import Split  # noqa: PLC0415
        from predictor.evaluation import evaluate as measure  # noqa: PLC0415

        shares = Split.parse(split)
        found = measure(read_log(csv), shares, gap_ms=int(session_gap * 1000)).as_json()
        if as_json:
            typer.echo(_json(found))
            return
        typer.echo(f"{'model':<10}{'top1':>8}{'top3':>8}{'log-loss':>10}{'ece':>8}")
        for name, row in {"blend": found, **found["baselines"]}.items():
            typer.echo(
                f"{name:<10}{row['top1']:>8.4f}{row['top3']:>8.4f}{row['log_loss']:>10.4f}{row['ece']:>8.4f}"
            )
        typer.echo(f"{found['n_test']} test positions, the newest; learned from after each was scored")


def _add_versions(app: typer.Typer) -> None:
    @app.command()
    @reporting
    def show(store: Store = STORE, *, as_json: AsJson = False) -> None:
        """The versions in the store, the one that serves, and who changed that."""
        from predictor.registry import Registry  # noqa: PLC0415 - heavy

        registry = Registry(store)
        current, versions, audit = registry.current(), registry.versions(), registry.audit()
        if as_json:
            fields = ("version", "created_at", "source", "synthetic", "first_ms", "last_ms", "positions")
            listed = [
                {name: getattr(meta, name) for name in fields} | {"metrics": meta.metrics}
                for meta in versions
            ]
            typer.echo(_json({"current": current, "versions": listed, "audit": audit}))
            return
        for meta in versions:
            _print_version(meta, as_json=False, current=_serves(registry, meta))
        if current is None:
            typer.echo("no version serves: predictions come from the n-gram and its synthetic prior")
        for entry in audit:
            typer.echo(f"{_date(entry.at_ms)} {entry.action} {entry.version}: {entry.reason}")


def _read(source: Source, file: Path | None, read_topic: TopicReader | None) -> Sequence[Record]:
    from predictor.dataset import read_log  # noqa: PLC0415 - heavy
    from predictor.prior import synthetic_records  # noqa: PLC0415

    if source is Source.SYNTHETIC:
        return synthetic_records()
    if source is Source.TOPIC:
        if read_topic is None:
            raise typer.BadParameter("no topic is at hand here; use --from csv or parquet with --file")
        return read_topic()
    if file is None:
        raise typer.BadParameter(f"--from {source} needs --file")
    return read_log(file)


def _print_version(meta: ModelMeta, *, as_json: bool, current: bool) -> None:
    if as_json:
        typer.echo(_json({"version": meta.version, "metrics": meta.metrics, "positions": meta.positions}))
        return
    marks = " serves" * current + " (synthetic: it has learned from nobody real)" * meta.synthetic
    figures = " ".join(f"{name} {value:.3f}" for name, value in meta.metrics.items())
    typer.echo(
        f"{meta.version}{marks}: {meta.positions} positions from {meta.source}, to {_date(meta.last_ms)}"
    )
    typer.echo(f"  {figures} on {meta.measured_on}")


def _serves(registry: Registry, meta: ModelMeta) -> bool:
    current = registry.current()
    return current is not None and current.version == meta.version


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def _date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
