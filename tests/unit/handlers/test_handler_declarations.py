"""What the roles without handlers read, and the TTLs an installation sets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from handlers.registry import load_handlers, load_manifest
from streams.contracts.errors import ConfigurationError


def test_a_setting_replaces_the_ttl_of_one_task_in_every_role() -> None:
    environ = {"PRECOMPUTE_TASK_TTL_S": "ctr_prediction=60, dashboard_data=5"}
    for catalogue in (load_handlers(environ=environ).catalogue, load_manifest(environ=environ).catalogue):
        assert catalogue["ctr_prediction"].ttl_s == 60
        assert catalogue["dashboard_data"].ttl_s == 5
        assert catalogue["scene_detection"].ttl_s == 24 * 3600


@pytest.mark.parametrize(
    "value",
    ["ctr_prediction", "ctr_prediction=0", "ctr_prediction=soon", "ctr_prediction=inf", "=5", "tea=5"],
)
def test_a_ttl_that_cannot_be_names_its_variable(value: str) -> None:
    with pytest.raises(ConfigurationError, match="PRECOMPUTE_TASK_TTL_S"):
        load_handlers(environ={"PRECOMPUTE_TASK_TTL_S": value})


def test_ttls_reach_a_manifest_too(tmp_path: Path) -> None:
    file = tmp_path / "handlers.json"
    file.write_bytes(load_handlers(environ={}).manifest.encode())
    environ = {"PRECOMPUTE_HANDLER_MANIFEST": str(file), "PRECOMPUTE_TASK_TTL_S": "ctr_prediction=60"}
    assert load_manifest(environ=environ).catalogue["ctr_prediction"].ttl_s == 60


def test_with_a_manifest_no_handler_is_imported(tmp_path: Path) -> None:
    """Not even those that would not import: their libraries are elsewhere."""
    file = tmp_path / "handlers.json"
    (tmp_path / "heavy_handlers.py").write_text(
        "import msgspec\n"
        "from handlers.context import Context\n"
        "from handlers.contract import handler\n"
        "class In(msgspec.Struct): video_id: str\n"
        "class Out(msgspec.Struct): n: int\n"
        "@handler(task='heatmap', entity='video', ttl_s=60, kind='cpu', version='1',\n"
        "         on=('video.uploaded',), priority=8, answers=('open_heatmap',))\n"
        "def heatmap(one: In, context: Context) -> Out: return Out(n=1)\n"
    )
    write = (
        "import sys; from handlers.registry import load_handlers;"
        "sys.stdout.buffer.write(load_handlers(['heavy_handlers'], environ={}).manifest.encode())"
    )
    made = subprocess.run([sys.executable, "-c", write], cwd=tmp_path, capture_output=True, check=True)
    file.write_bytes(made.stdout)
    read = (
        "import sys; from handlers.registry import load_manifest;"
        f"found = load_manifest(environ={{'PRECOMPUTE_HANDLER_MANIFEST': {str(file)!r}}});"
        "assert found.catalogue['heatmap'].ttl_s == 60;"
        "assert [one.task for one in found.triggers] == ['heatmap'];"
        "assert found.answers['open_heatmap'] == ('heatmap',);"
        "assert not [name for name in sys.modules if name.startswith(('handlers.scene', 'heavy_handlers'))]"
    )
    done = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
