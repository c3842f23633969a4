"""A public activity log as actions of the platform.

The log's action types take the platform's names by rank: the n-th most frequent of the log is the n-th most
frequent of the invented population's chain. Only order and times matter to a predictor and to a cache, and
both stay the log's. Uploads and campaigns do not come from the log but at the chain's rates.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from predictor.actions import BUILTIN_ACTIONS
from predictor.dataset import Record
from predictor.prior import CHAIN, draw_session

UPLOAD, CAMPAIGN = "upload_video", "create_campaign"
#: Sessions drawn to count how often the chain comes by each action.
_SESSIONS = 20_000
#: What is rarer in the log than the platform has actions: it is learned from and starts no job.
ELSEWHERE = "elsewhere"


class Rates(NamedTuple):
    """How often a session uploads a video and creates a campaign."""

    uploads: float
    campaigns: float


def chain_counts() -> Counter[str]:
    """How often the chain's sessions come by each action."""
    draw = random.Random(7)
    counts: Counter[str] = Counter()
    for _ in range(_SESSIONS):
        counts.update(draw_session(draw, CHAIN))
    return counts


def rates() -> Rates:
    counts = chain_counts()
    return Rates(counts[UPLOAD] / _SESSIONS, counts[CAMPAIGN] / _SESSIONS)


def translation(records: Sequence[Record]) -> dict[str, str]:
    """The platform's name for each of the log's actions."""
    ours = [
        n for n, _ in chain_counts().most_common() if n in BUILTIN_ACTIONS and n not in (UPLOAD, CAMPAIGN)
    ]
    theirs = [name for name, _ in Counter(record.action for record in records).most_common()]
    return dict(itertools.zip_longest(theirs, ours[: len(theirs)], fillvalue=ELSEWHERE))


def translate(records: Sequence[Record]) -> list[Record]:
    names = translation(records)
    return [record._replace(action=names[record.action]) for record in records]
