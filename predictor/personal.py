"""What followed in each user's own window: counted anew for every question, in a few NumPy operations.

A window is bytes (an id each, oldest first). Read as overlapping little-endian words of four bytes, each
word has an outcome in its top byte and the three ids before it below: one XOR with the wanted ids tells
how many of them match.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.vocabulary import END_ID, LOGIN_ID, NOTHING_ID

#: A user's habits change: what happened 350 actions ago counts half.
DECAY = 0.998
#: The recent expert sees a user's last outcomes only, the newest first: 14 ago counts half.
RECENT = 64
RECENT_DECAY = 0.95
#: Longest window of one user, in actions; heavy users gain from a long memory (1 byte an action).
LONG_WINDOW = 1000

Window = bytes | bytearray

_IDS = 256
#: In a window a LOGIN is also the end of the session before it, and nothing else is called END there:
#: one id for both makes it an outcome and a context.
_OUTCOMES = bytes(END_ID if seen == LOGIN_ID else seen for seen in range(_IDS))
#: Stands before a window, so that its first outcomes have three ids before them as well.
_PAD = bytes((NOTHING_ID,)) * 3
#: Weights of outcomes, oldest first: a window of n ids uses the last n.
_WEIGHTS = DECAY ** np.arange(2 * LONG_WINDOW, -1, -1)
_RECENT_WEIGHTS = RECENT_DECAY ** np.arange(RECENT - 1, -1, -1)
_WORD = np.dtype("<u4")
# Arrays without dimensions: NumPy takes twice as long to look at a Python number.
_BYTES = [np.array(value, np.uint8) for value in range(_IDS)]
_OTHER_IDS, _OUTCOME_AT, _LEVEL = np.array(0xFFFF), np.array(24), np.array(_IDS)
#: Of a word's two lower bytes after the XOR: 0 where both match, below 256 where the upper one does.
_LEVELS = np.array([1, 256])
#: A match of three ids is one of two and of one as well.
_SUMS = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])


def count_personal(windows: Sequence[Window], ids: Sequence[Sequence[int]], counts: Any) -> None:
    """Fills `counts` [4, n, width] with weights of what followed in each user's own window.

    `ids` are the situations', newest first. Row 0 weighs recent outcomes whatever the context, rows 1..3
    what followed the same last 1, 2, 3 ids. A LOGIN shows that the session before it ended.
    """
    if len(windows) == 1:
        _count_one(windows[0].translate(_OUTCOMES), ids[0], counts[:, 0])
    else:
        _count_many(windows, ids, counts)


def _count_one(window: Window, ids: Sequence[int], counts: Any) -> None:
    n, width = len(window), counts.shape[1]
    recent = np.frombuffer(window[-RECENT:], np.uint8)
    counts[0] = np.bincount(recent, _RECENT_WEIGHTS[RECENT - len(recent) :], _IDS)[:width]
    padded = _PAD + window
    first = _OUTCOMES[ids[0]]
    at = (np.frombuffer(padded, np.uint8)[2:-1] == _BYTES[first]).nonzero()[0]
    words = np.ndarray((n,), _WORD, padded, strides=(1,)).take(at).astype(np.int64)
    words ^= np.array(_wanted(ids))
    found = np.bincount(_cells(words), _WEIGHTS[len(_WEIGHTS) - n :].take(at), 3 * _IDS)
    counts[1:] = _SUMS.dot(found.reshape(3, _IDS)[:, :width])


def _count_many(windows: Sequence[Window], ids: Sequence[Sequence[int]], counts: Any) -> None:
    n, width = len(windows), counts.shape[2]
    tails = b"".join([window[-RECENT:].rjust(RECENT, _PAD[:1]) for window in windows]).translate(_OUTCOMES)
    cells = np.frombuffer(tails, np.uint8) + np.repeat(np.arange(n) * _IDS, RECENT)
    recent = np.bincount(cells, np.tile(_RECENT_WEIGHTS, n), n * _IDS)
    counts[0] = recent.reshape(n, _IDS)[:, :width]
    # Padding between windows keeps a match from looking into its neighbour; as an outcome it falls into a
    # column that nobody reads.
    padded = b"".join([_PAD, _PAD.join(windows)]).translate(_OUTCOMES)
    lengths = np.fromiter(map(len, windows), np.int64, n) + len(_PAD)
    wanted = np.fromiter(map(_wanted, ids), np.int64, n)
    newest = np.repeat((wanted >> 16).astype(np.uint8), lengths)[: len(padded) - len(_PAD)]
    at = (np.frombuffer(padded, np.uint8)[2:-1] == newest).nonzero()[0]
    ends = lengths.cumsum()
    row = ends.searchsorted(at, side="right")
    words = np.ndarray((len(newest),), _WORD, padded, strides=(1,)).take(at) ^ wanted.take(row)
    cells = _cells(words)
    cells += row * (3 * _IDS)
    weights = _WEIGHTS.take(at - ends.take(row) + (len(_WEIGHTS) + len(_PAD)), mode="clip")
    found = np.bincount(cells, weights, 3 * n * _IDS).reshape(n, 3, _IDS)[:, :, :width]
    found[:, 1] += found[:, 0]
    found[:, 2] += found[:, 1]
    counts[1:] = found.transpose(1, 0, 2)[::-1]


def _wanted(ids: Sequence[int]) -> int:
    """The last three ids as they stand in a word, the newest uppermost."""
    first, second, third, *_ = ids
    return _OUTCOMES[first] << 16 | _OUTCOMES[second] << 8 | _OUTCOMES[third]


def _cells(words: Any) -> Any:
    """Level (0: all three ids match, 2: the newest alone) x 256 + outcome; every word's newest id matches."""
    levels = _LEVELS.searchsorted(words & _OTHER_IDS, "right")
    levels *= _LEVEL
    levels += words >> _OUTCOME_AT
    return levels
