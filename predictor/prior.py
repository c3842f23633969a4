"""A synthetic population: what a fresh installation predicts from until it has seen real users.

Invented, not measured: a first-order chain over the built-in actions, written down from what the
product's pages link to. It says so in the version's name and in `precompute predictor show`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

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

#: How far users differ: the standard deviation of the logarithm of an arrow's weight.
HABIT = 0.9

Chain = Mapping[str, Mapping[str, float]]

#: action -> (what follows, how often in a hundred). Each row sums to 100.
CHAIN: Chain = {
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


def draw_session(draw: random.Random, chain: Chain) -> list[str]:
    """One session drawn from a chain, from LOGIN to END."""
    session = [LOGIN]
    while session[-1] != END and len(session) < MAX_SESSION:
        row = chain[session[-1]]
        session.append(draw.choices(list(row), list(row.values()))[0])
    return session if session[-1] == END else [*session, END]


def synthetic_records(
    sessions: int = 6_000, *, users: int = 400, start_ms: int = 1_767_225_600_000, seed: int = 7
) -> list[Record]:
    """The population as a log: sessions of `users` users over 30 days, actions seconds to minutes apart.

    Every user has habits: the chain's arrows, each as much likelier or less likely as a lognormal says.
    """
    draw = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    chains = [_with_habits(draw) for _ in range(users)]
    records = []
    free_at = dict.fromkeys(range(users), 0)
    for number in range(sessions):
        user = draw.randrange(users)
        at_ms = max(start_ms + number * 30 * 86_400_000 // sessions, free_at[user])
        for name in draw_session(draw, chains[user])[1:-1]:
            records.append(Record(f"{SYNTHETIC}-{user}", str(number), at_ms, name))
            at_ms += int(1000 * min(draw.lognormvariate(3.0, 1.2), 1_500))
        free_at[user] = at_ms + 3_600_000
    return records


def _with_habits(draw: random.Random) -> Chain:
    return {
        state: {name: weight * draw.lognormvariate(0.0, HABIT) for name, weight in row.items()}
        for state, row in CHAIN.items()
    }


def synthetic_ngram(config: NgramConfig | None = None, *, sessions: int = SESSIONS) -> Ngram:
    """An n-gram that has seen the synthetic population, at `WEIGHT` of real counts, and no user."""
    ngram = Ngram(config, names=list(BUILTIN_ACTIONS))
    draw = random.Random(7)  # noqa: S311 - a simulation, not a secret
    for number in range(sessions):
        history = History(f"{SYNTHETIC}-{number}")
        for at, name in enumerate(draw_session(draw, CHAIN)):
            action = Action(name, at)
            ngram.observe(history, action)
            if name != END:
                history.append(action)
    ngram.scale(WEIGHT)
    ngram.forget_users()
    return ngram
