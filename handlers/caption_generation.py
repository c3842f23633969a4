"""Captions: speech into cues, WebVTT and SubRip."""

from __future__ import annotations

import msgspec

from handlers.captions import Cue, srt_of, vtt_of
from handlers.context import Context
from handlers.contract import handler
from handlers.inputs import VideoInput


class CaptionResult(msgspec.Struct, frozen=True, kw_only=True):
    """Without speech there is no cue. `source` is `speech`, or `none` where there was nothing to hear."""

    has_audio: bool
    language: str | None
    source: str
    model: str | None
    cues: list[Cue]
    vtt: str
    srt: str
    warnings: list[str]
    partial: str | None


@handler(task="caption_generation", kind="cpu", version="1", extra="video,captions", memory_mb=4096)
def caption_generation(video: VideoInput, context: Context) -> CaptionResult:
    """Writes down what is said in a video, with times; nothing where nobody speaks."""
    from handlers.video import scratch  # noqa: PLC0415 - the extras load with the first job

    survey = scratch.survey_of(video, context)
    if not survey.audio:
        return CaptionResult(
            has_audio=survey.info.has_audio,
            language=None,
            source="none",
            model=None,
            cues=[],
            vtt=vtt_of([]),
            srt="",
            warnings=[],
            partial=survey.partial,
        )
    from handlers.speech import transcribe  # noqa: PLC0415 - the model loads only for a sound

    heard = transcribe(survey.audio, context.config.caption_model_dir)
    return CaptionResult(
        has_audio=True,
        language=heard.language,
        source="speech" if heard.cues else "none",
        model=heard.model,
        cues=heard.cues,
        vtt=vtt_of(heard.cues),
        srt=srt_of(heard.cues),
        warnings=heard.warnings,
        partial=survey.partial,
    )
