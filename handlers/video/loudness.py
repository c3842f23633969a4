"""How loud a sound is, and when it begins."""

from __future__ import annotations

import msgspec
import numpy as np

from handlers.video.survey import AUDIO_RATE

#: Length of one measurement in seconds, and the level (dB of full scale) above which there is a sound.
STEP_S = 0.05
AUDIBLE_DB = -50.0


class Loudness(msgspec.Struct, frozen=True, kw_only=True):
    """Levels in dB of full scale. `rise_db` is the last third of the time against the first."""

    onset_s: float | None
    level_db: float | None
    rise_db: float | None


def measure(pcm: bytes, seconds: float) -> Loudness:
    """The loudness of the first `seconds` of 16 kHz mono 16 bit sound; all None for silence or no sound."""
    step = int(STEP_S * AUDIO_RATE)
    wave = np.frombuffer(pcm, np.int16)[: int(seconds * AUDIO_RATE)].astype(np.float32) / 32768
    steps = wave[: len(wave) // step * step].reshape(-1, step)
    power = (steps**2).mean(axis=1)
    audible = np.flatnonzero(power > 10 ** (AUDIBLE_DB / 10))
    if not len(audible):
        return Loudness(onset_s=None, level_db=None, rise_db=None)
    third = max(1, len(power) // 3)
    return Loudness(
        onset_s=round(float(audible[0]) * STEP_S, 3),
        level_db=_db(float(power.mean())),
        rise_db=round(_db(float(power[-third:].mean())) - _db(float(power[:third].mean())), 2),
    )


def _db(power: float) -> float:
    """Decibels, no lower than -90: the noise of 16 bits."""
    return round(10 * float(np.log10(max(power, 1e-9))), 2)
