"""The public logs and the protocols they are measured by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from predictor.dataset import Record, collapse_repeats, pool_rare, read_log
from predictor.history import SESSION_GAP_MS

SHARED = Path(__file__).parents[2].parent / "shared" / "data"

#: Commands that the editor itself emits while somebody moves about.
_ABB_NOISE = frozenset({"View.OnChangeCaretLine", "View.OnChangeScrollInfo"})
_ABB_RARE = 0.004


def github() -> list[Record]:
    """GitHub activity: actions under 0.1 % pooled."""
    return pool_rare(read_log(SHARED / "github_human_activities_first80.csv.gz"))


def abb() -> list[Record]:
    """IDE commands: caret and scroll dropped, repeats collapsed, actions under 0.4 % pooled."""
    records = read_log(SHARED / "abb_visualstudio_raw.csv.gz")
    kept = collapse_repeats(record for record in records if record.action not in _ABB_NOISE)
    return pool_rare(kept, rare=_ABB_RARE)


ACTION_LOGS: dict[str, Callable[[], list[Record]]] = {"github": github, "abb": abb}


class ProcessLog:
    """Cases of a business process with a published split; nothing is learned from test cases.

    `train` and `test` are whole cases. `min_prefix` events come before the first scored one.
    """

    def __init__(self, name: str, train: Sequence[Record], test: Sequence[Record], *, tax: bool) -> None:
        self.name = name
        self.train = train
        self.test = test
        self.min_prefix = 2 if tax else 1
        self.scores_end = not tax
        self.gap_ms = SESSION_GAP_MS


def tax_log(name: str) -> ProcessLog:
    """Tax et al. 2017: file order, first two thirds of the cases; the end is not scored."""
    records = read_log(SHARED / f"tax_{name}.csv.gz")
    cases = list(dict.fromkeys(record.user for record in records))
    train = set(cases[: len(cases) * 2 // 3])
    return ProcessLog(
        f"tax {name}",
        [r for r in records if r.user in train],
        [r for r in records if r.user not in train],
        tax=True,
    )


def ordered_log(name: str) -> ProcessLog:
    """Rama-Maneiro et al.: the published ordered split 64/16/20; the end is scored."""
    records = read_log(SHARED / f"rama_{name}.csv.gz")
    return ProcessLog(
        f"ordered {name}",
        [r for r in records if not r.user.startswith("test-")],
        [r for r in records if r.user.startswith("test-")],
        tax=False,
    )


PROCESS_LOGS: dict[str, Callable[[], ProcessLog]] = {
    "tax helpdesk": lambda: tax_log("helpdesk"),
    "tax bpi_12_w": lambda: tax_log("bpi_12_w"),
    "ordered Helpdesk": lambda: ordered_log("Helpdesk"),
    "ordered BPI12": lambda: ordered_log("BPI_Challenge_2012_Complete"),
    "ordered BPI13": lambda: ordered_log("bpi_challenge_2013_incidents"),
}
