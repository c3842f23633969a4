"""The most memory a process held."""

from __future__ import annotations

from pathlib import Path


def peak_mib(pid: int | str = "self") -> float:
    """In MiB. Not `ru_maxrss`: Linux keeps that across exec, so it also counts what started the process."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
