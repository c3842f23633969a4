"""An environment for each peer, so that none decides what another one gets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.worker.catalogue import Peer
from streams.local.state import cache_home

#: A package that no index answers for in this time does not come any more.
WITHIN_S = 300.0


class CannotInstallError(Exception):
    """Says why, in one line."""


def interpreter(peer: Peer) -> Path:
    """The Python of the peer's environment, made where it is missing or its pins have changed."""
    if not peer.requirements.exists():
        return Path(sys.executable)
    folder = cache_home() / "bench" / peer.name
    python = folder / "bin" / "python"
    pins = peer.requirements.read_text()
    stamp = folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != pins:
        sys.stdout.write(f"installing {peer.name} into {folder} (once)\n")
        sys.stdout.flush()
        _run(sys.executable, "-m", "venv", str(folder))
        _run(
            *(str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
            *("--require-hashes", "-r", str(peer.requirements)),
        )
        stamp.write_text(pins)
    return python


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN_S)
    except subprocess.TimeoutExpired as exc:
        raise CannotInstallError(f"not installed within {WITHIN_S:.0f} s") from exc
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise CannotInstallError((lines[-1] if lines else f"exit code {done.returncode}")[:200])
