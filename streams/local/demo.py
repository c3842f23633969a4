"""`precompute demo` and `precompute dev`: the whole system on this machine."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from handlers.sample_clip import make_clip
from streams.contracts.errors import ConfigurationError
from streams.local.display import Display, answers_table, predictions_table
from streams.local.sample import make_sample
from streams.local.scenario import Scenario, Story
from streams.local.system import LocalSystem, SystemConfig
from streams.settings import load_settings


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    once: bool = False
    json: bool = False
    video: Path | None = None
    bootstrap_servers: str | None = None
    redis_url: str | None = None


def run_demo(options: DemoOptions) -> bool:
    """Plays the demo; whether everything that can be computed here was."""
    started = time.monotonic()
    with Display() as display, LocalSystem(_config(options), display.say) as system:
        clip = options.video.resolve() if options.video else _make_clip(system.folder, display.say)
        sample = make_sample(clip, load_settings())
        scenario = Scenario(load_settings(), system.api_url, sample, display.progress)
        story = asyncio.run(scenario.play())
        elapsed = time.monotonic() - started
        display.__exit__(None, None, None)
        if options.json:
            _print_json(story, system, elapsed)
        else:
            _print_tables(story, system, elapsed)
        if not options.once:
            _print_next_steps(sample.user_id, sample.video_id, system)
            wait_for_signal()
    return story.count("failed") == 0 and story.completed > 0


def run_dev(options: DemoOptions) -> None:
    """Runs everything until Ctrl-C; what it writes is kept for the next time."""
    with Display() as display, LocalSystem(_config(options, throw_away=False), display.say) as system:
        display.say(f"ready: console {system.api_url}/console")
        _print_addresses(Console(stderr=True), system)
        wait_for_signal()


def wait_for_signal() -> None:
    """Returns at Ctrl-C or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()


def _config(options: DemoOptions, *, throw_away: bool = True) -> SystemConfig:
    roots = (str(options.video.resolve().parent),) if options.video else ()
    if options.video and not options.video.is_file():
        raise ConfigurationError(f"--video: no such file: {options.video}")
    return SystemConfig(
        bootstrap_servers=options.bootstrap_servers,
        redis_url=options.redis_url,
        media_roots=roots,
        throw_away=throw_away,
    )


def _make_clip(folder: Path, say: Callable[[str], None]) -> Path:
    say("drawing a short video")
    path = folder / "sample-ad.mp4"
    make_clip(path)
    return path


def report(story: Story, broker: str, elapsed_s: float) -> dict[str, Any]:
    """The demo's outcome as one object; jobs that a prediction caused are counted apart."""
    return {
        "events": story.events,
        "jobs": len(story.followed),
        "completed": story.completed,
        "failed": story.count("failed"),
        "not_available": story.count("skipped", "not_available"),
        "results": [msgspec.structs.asdict(row) for row in story.results],
        "scenes": story.scenes,
        "predicted": {
            "jobs": story.predicted_jobs,
            "actions": [msgspec.structs.asdict(row) for row in story.predictions],
            "click": msgspec.structs.asdict(story.click) if story.click else None,
        },
        "broker": broker,
        "elapsed_s": round(elapsed_s, 1),
    }


def _print_json(story: Story, system: LocalSystem, elapsed_s: float) -> None:
    console = Console(soft_wrap=True)
    console.print_json(data=report(story, system.broker, elapsed_s))


def _print_tables(story: Story, system: LocalSystem, elapsed_s: float) -> None:
    console = Console()
    console.print()
    console.print(answers_table(story))
    console.print()
    console.print(predictions_table(story))
    if story.click is not None:
        click = story.click
        console.print(
            f"\nThe user clicks {click.action}: {click.key} ({click.why}) read in {click.read_ms:.1f} ms."
        )
    console.print(
        f"\n{story.events} events, {len(story.followed)} jobs, {story.completed} completed, "
        f"{story.count('skipped', 'not_available')} not available here, {story.count('failed')} failed, "
        f"in {elapsed_s:.0f} s on {system.broker}. The account's numbers are a sample.",
        soft_wrap=True,
    )


def _print_next_steps(user_id: str, video_id: str, system: LocalSystem) -> None:
    console = Console(soft_wrap=True, highlight=False)
    console.print("\nStill running; paste in another terminal:")
    console.print(f"  .venv/bin/precompute publish user.acted --user {user_id} --set action=view_dashboard")
    console.print(f"  .venv/bin/precompute get scene_detection:video:{video_id}")
    console.print(f"  curl {system.api_url}/api/precompute/queue")
    _print_addresses(console, system)
    console.print("Ctrl-C ends it.")


def _print_addresses(console: Console, system: LocalSystem) -> None:
    console.print(f"console  {system.api_url}/console", soft_wrap=True)
    console.print(f"API      {system.api_url}/api/precompute/openapi.json", soft_wrap=True)
    for name, process in system.roles.items():
        console.print(f"{name:8} {process.metrics_url}", soft_wrap=True)
