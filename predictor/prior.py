"""A synthetic population: what a fresh installation predicts from until it has seen real users.

Invented, not measured: a first-order chain over the built-in actions, written down from what the
product's pages link to. It says so in the version's name and in `precompute predictor show`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from predictor.actions import BUILTIN_ACTIONS
from predictor.dataset import Record
from predictor.history import END, LOGIN, Action, History
from predictor.ngram import Ngram, NgramConfig

#: Names models that have learned from nobody real.
SYNTHETIC = "synthetic"

#: Sessions drawn for the prior: enough that every arrow below is seen, few enough to start at once.
SESSIONS = 1_500
#: What a synthetic observation counts against a real one: a few hundred real sessions outweigh them all.
WEIGHT = 0.1
#: A session that the chain does not end is ended here.
MAX_SESSION = 40

#: action -> (what follows, how often in a hundred). Each row sums to 100.
CHAIN: dict[str, dict[str, int]] = {
    LOGIN: {"view_dashboard": 74, "view_campaign_analytics": 10, "upload_video": 9, "create_campaign": 7},
    "view_dashboard": {
        "view_campaign_analytics": 56, "view_video_analysis": 10, "upload_video": 10,
        "create_campaign": 7, "view_roas": 5, END: 12,
    },
    "view_campaign_analytics": {
        "view_roas": 26, "view_variants": 14, "view_ctr": 11, "edit_campaign": 10, "export_report": 9,
        "view_campaign_analytics": 8, "view_dashboard": 7, END: 15,
    },
    "view_video_analysis": {
        "view_hook": 24, "view_thumbnails": 22, "view_ctr": 15, "view_captions": 14,
        "view_dashboard": 7, END: 18,
    },
    "view_thumbnails": {
        "view_captions": 28, "view_hook": 18, "view_ctr": 16, "view_video_analysis": 12, END: 26,
    },
    "view_captions": {"view_ctr": 24, "view_thumbnails": 18, "view_hook": 16, "create_campaign": 10, END: 32},
    "view_hook": {
        "view_thumbnails": 26, "view_ctr": 22, "view_captions": 14, "view_video_analysis": 10, END: 28,
    },
    "generate_variants": {"view_variants": 80, "generate_variants": 6, END: 14},
    "view_variants": {"view_roas": 30, "generate_variants": 18, "edit_campaign": 18, "view_ctr": 8, END: 26},
    "view_roas": {
        "view_campaign_analytics": 24, "edit_campaign": 18, "export_report": 12, "view_dashboard": 10,
        END: 36,
    },
    "view_ctr": {
        "create_campaign": 18, "view_thumbnails": 14, "view_dashboard": 14, "view_roas": 14, END: 40,
    },
    "upload_video": {"view_video_analysis": 70, "upload_video": 12, "view_thumbnails": 6, END: 12},
    "create_campaign": {
        "generate_variants": 38, "view_variants": 22, "view_roas": 14, "view_campaign_analytics": 12, END: 14,
    },
    "edit_campaign": {"view_campaign_analytics": 34, "generate_variants": 18, "view_roas": 18, END: 30},
    "export_report": {"view_campaign_analytics": 22, "view_dashboard": 18, END: 60},
}  # fmt: skip


def synthetic_sessions(sessions: int = SESSIONS, *, seed: int = 7) -> Iterator[list[str]]:
    """Sessions drawn from the chain, each from LOGIN to END; the same for the same seed."""
    draw = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    for _ in range(sessions):
        session = [LOGIN]
        while session[-1] != END and len(session) < MAX_SESSION:
            row = CHAIN[session[-1]]
            session.append(draw.choices(list(row), list(row.values()))[0])
        if session[-1] != END:
            session.append(END)
        yield session


def synthetic_records(
    sessions: int = 6_000, *, users: int = 400, start_ms: int = 1_767_225_600_000, seed: int = 7
) -> list[Record]:
    """The population as a log: sessions of `users` users over 30 days, actions seconds to minutes apart."""
    draw = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    records = []
    free_at = dict.fromkeys(range(users), 0)
    for number, session in enumerate(synthetic_sessions(sessions, seed=seed)):
        user = draw.randrange(users)
        at_ms = max(start_ms + number * 30 * 86_400_000 // sessions, free_at[user])
        for name in session[1:-1]:
            records.append(Record(f"{SYNTHETIC}-{user}", str(number), at_ms, name))
            at_ms += int(1000 * min(draw.lognormvariate(3.0, 1.2), 1_500))
        free_at[user] = at_ms + 3_600_000
    return records


def synthetic_ngram(config: NgramConfig | None = None, *, sessions: int = SESSIONS) -> Ngram:
    """An n-gram that has seen the synthetic population, at `WEIGHT` of real counts, and no user."""
    ngram = Ngram(config, names=list(BUILTIN_ACTIONS))
    for number, session in enumerate(synthetic_sessions(sessions)):
        history = History(f"{SYNTHETIC}-{number}")
        for at, name in enumerate(session):
            action = Action(name, at)
            ngram.observe(history, action)
            if name != END:
                history.append(action)
    ngram.scale(WEIGHT)
    ngram.forget_users()
    return ngram
