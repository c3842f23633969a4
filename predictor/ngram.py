"""The online n-gram: counts of what followed which actions, for everybody and for each user.

Hierarchical Dirichlet back-off (MacKay and Peto, "A hierarchical Dirichlet language model", Natural
Language Engineering 1(3), 1995): with n observations of a context and c of them followed by `a`,
p(a | context) = (c + mu * p(a | shorter context)) / (n + mu).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from predictor.history import END, Action, History
from predictor.model import Prediction
from predictor.vocabulary import END_ID, LOGIN_ID, MAX_NAMES, Vocabulary
from predictor.windows import MAX_USERS, WINDOW, HasUsers, UserWindows
from streams.contracts.errors import ConfigurationError


class NgramConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The constants were chosen on the validation slices of real logs (docs/explanation/predictor.md)."""

    #: Actions a global context looks back.
    order: int = 3
    #: Strength of the shorter global context, in observations.
    mu: float = 20.0
    #: Actions a user's own context looks back; 0 turns personal contexts off.
    user_order: int = 2
    user_mu: float = 15.0
    max_names: int = MAX_NAMES
    max_users: int = MAX_USERS
    window: int = WINDOW
    #: Most global contexts of one length; what comes later backs off to shorter ones.
    max_contexts: int = 20_000
    #: Newest occurrences of a context that are counted in a user's window: bounds the time of a prediction.
    max_matches: int = 200

    def __post_init__(self) -> None:
        if not 0 <= self.order <= 4 or not 0 <= self.user_order <= 2:
            raise ConfigurationError("an n-gram's order is 0 to 4 and its user_order 0 to 2")
        if self.mu <= 0 or self.user_mu <= 0:
            raise ConfigurationError("mu and user_mu are above zero: they are what smooths the counts")
        if min(self.max_names - 2, self.max_users, self.window - 3, self.max_contexts, self.max_matches) < 1:
            raise ConfigurationError("a bound of the n-gram is too small to hold anything")


class Counts:
    """What followed one context. `total` is the sum of `following`."""

    __slots__ = ("following", "total")

    def __init__(self) -> None:
        self.following: dict[int, float] = {}
        self.total = 0.0

    def add(self, outcome: int, weight: float = 1.0) -> None:
        self.following[outcome] = self.following.get(outcome, 0.0) + weight
        self.total += weight


class Ngram:
    """The always-on base and the cold start of every other model."""

    def __init__(self, config: NgramConfig | None = None, *, names: Sequence[str] = ()) -> None:
        self.config = config if config is not None else NgramConfig()
        self.vocabulary = Vocabulary(names, capacity=self.config.max_names)
        #: One mapping per length 0..order, from the packed ids of the context.
        self.contexts: list[dict[int, Counts]] = [{} for _ in range(self.config.order + 1)]
        self.contexts[0][0] = Counts()
        self.windows = UserWindows(max_users=self.config.max_users, length=self.config.window)
        self.observed = 0

    @property
    def version(self) -> str:
        return "ngram"

    def predict(self, history: History, now_ms: int) -> Prediction:
        tail = self._tail(history, opens=history.is_over(now_ms))
        return Prediction(self.vocabulary.names[:], self.distribution(history.user_id, tail), self.version)

    def predict_many(self, histories: Sequence[History], now_ms: int) -> list[Prediction]:
        return [self.predict(history, now_ms) for history in histories]

    def observe(self, history: History, action: Action) -> None:
        """Counts `action`, the END before it if it opens a session, and END alone where that is passed."""
        if action.name == END:
            if not history.ended and history.actions:
                self._count(self._tail(history, opens=False), END_ID)
            return
        opens = history.starts_session(action)
        if opens and not history.ended and history.actions:
            self._count(self._tail(history, opens=False), END_ID)
        seen = self.vocabulary.learn(action.name)
        if seen != LOGIN_ID:
            self._count(self._tail(history, opens=opens), seen)
            self._remember(history, bytes((LOGIN_ID, seen)) if opens else bytes((seen,)))
        elif opens:
            self._remember(history, bytes((LOGIN_ID,)))

    def distribution(self, user_id: str, tail: Sequence[int]) -> list[float]:
        """Probabilities of the vocabulary's outcomes after the ids of `tail`, oldest first."""
        size = len(self.vocabulary)
        p = [0.0] * size
        weight = 1.0
        if self.config.user_order:
            weight = self._add_user(p, self.windows.get(user_id), tail)
        weight = self._add_global(p, tail, weight) / size
        p = [value + weight for value in p]
        scale = 1.0 / sum(p)
        return [value * scale for value in p]

    def scale(self, factor: float) -> None:
        """Multiplies what global contexts have counted: below 1, later observations weigh more."""
        for contexts in self.contexts:
            for counts in contexts.values():
                counts.total *= factor
                counts.following = {outcome: count * factor for outcome, count in counts.following.items()}

    def forget_users(self) -> None:
        """Drops every personal context."""
        self.windows = UserWindows(max_users=self.config.max_users, length=self.config.window)

    def adopt_users(self, other: HasUsers) -> None:
        """Takes over the personal contexts of the model that served until now."""
        for name in other.vocabulary.names:
            self.vocabulary.learn(name)
        self.windows.adopt(other.windows, self.vocabulary.translation_from(other.vocabulary))

    def _add_user(self, p: list[float], window: bytearray | None, tail: Sequence[int]) -> float:
        """Adds the user's own counts to `p`; returns the weight left for everybody's."""
        if window is None or not tail:
            return 1.0
        one, two = count_matches(window, tail, self.config.max_matches)
        weight = 1.0
        for following in (two, one) if self.config.user_order > 1 else (one,):
            if following:
                share = weight / (sum(following.values()) + self.config.user_mu)
                for outcome, count in following.items():
                    p[outcome] += count * share
                weight = share * self.config.user_mu
        return weight

    def _add_global(self, p: list[float], tail: Sequence[int], weight: float) -> float:
        """Adds everybody's counts to `p`, longest context first; returns the weight left for uniform."""
        mu = self.config.mu
        for key, contexts in reversed(list(zip(pack(tail, self.config.order), self.contexts, strict=False))):
            counts = contexts.get(key)
            if counts is not None:
                share = weight / (counts.total + mu)
                for outcome, count in counts.following.items():
                    p[outcome] += count * share
                weight = share * mu
        return weight

    def _count(self, tail: Sequence[int], outcome: int) -> None:
        self.observed += 1
        for key, contexts in zip(pack(tail, self.config.order), self.contexts, strict=False):
            counts = contexts.get(key)
            if counts is None:
                if len(contexts) >= self.config.max_contexts:
                    continue
                counts = contexts[key] = Counts()
            counts.add(outcome)

    def _remember(self, history: History, ids: bytes) -> None:
        window = self.windows.get(history.user_id)
        if window is None:
            known = bytes(self.vocabulary.id_of(action.name) for action in history.actions)
            window = self.windows.put(history.user_id, known)
        self.windows.extend(history.user_id, window, ids)

    def _tail(self, history: History, *, opens: bool) -> list[int]:
        """The ids the next outcome is predicted from, oldest first; LOGIN added where a session opens."""
        id_of = self.vocabulary.id_of
        ids = [id_of(action.name) for action in history.actions[-4:]]
        if opens:
            ids.append(LOGIN_ID)
        return ids


def pack(tail: Sequence[int], order: int) -> list[int]:
    """The keys of the contexts of length 0..order that end `tail`; no longer than `tail` allows."""
    keys = [0]
    key = 0
    for length in range(1, min(order, len(tail)) + 1):
        key |= tail[-length] << (8 * (length - 1))
        keys.append(key)
    return keys


def count_matches(
    window: bytearray, tail: Sequence[int], limit: int
) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """What followed the last id, and the last two ids, in a user's window; the newest `limit` matches."""
    last = tail[-1]
    before = tail[-2] if len(tail) > 1 else -1
    one: dict[int, int] = {}
    two: dict[int, int] = {}
    # One split is twice as fast as a search per match. At the very end nothing follows: that is no match.
    mark = bytes((last,))
    first, *parts = window.removesuffix(mark).rsplit(mark, limit)
    preceding = first[-1] if first else None
    for part in parts:
        following = part[0] if part else last
        one[following] = one.get(following, 0) + 1
        if preceding == before:
            two[following] = two.get(following, 0) + 1
        preceding = part[-1] if part else last
    for counts in (one, two):
        if LOGIN_ID in counts:
            counts[END_ID] = counts.get(END_ID, 0) + counts.pop(LOGIN_ID)
    return one, two
