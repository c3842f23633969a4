"""Twenty thousand broken containers: each ends in a result or a reason, and the process lives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: In several processes, as a worker's children are renewed: hypothesis keeps a tree of all it has tried.
PROCESSES = 4
INPUTS = 20_000 // PROCESSES
#: Ten times what they take on one idle core.
TIMEOUT_S = 300


@pytest.mark.timeout(TIMEOUT_S + 30)
@pytest.mark.parametrize("seed", range(PROCESSES))
def test_broken_containers_end_in_reasons(tmp_path: Path, seed: int) -> None:
    child = Path(__file__).with_name("fuzz_child.py")
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, str(child), str(tmp_path), str(INPUTS), str(seed)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        check=False,
    )
    if done.returncode != 0:
        kept = tmp_path / "last"
        pytest.fail(f"the process ended with {done.returncode} on {kept}: {done.stderr[-2000:]}")
    report = json.loads(done.stdout)
    assert report["inputs"] >= INPUTS
    # Both sides of the border are walked on: else the inputs would be too broken, or not broken enough.
    assert report["ends"]["media_unreadable"] > INPUTS / 50
    assert report["ends"]["whole"] > INPUTS / 50
    assert set(report["ends"]) <= {
        "whole",
        "partial",
        "media_unreadable",
        "media_no_video",
        "media_too_large",
        "media_too_long",
    }
    assert report["peak_mib"] < 700
