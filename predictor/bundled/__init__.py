"""The model that ships: a small blend trained on the invented population, and on nobody real.

`python -m predictor.bundled` makes its files again, byte by byte the same for the same libraries.
"""

from __future__ import annotations

from importlib.resources import files

from predictor.archive import FILES, ModelMeta, load_blend
from predictor.blend import Blend


def load_bundled() -> tuple[Blend, ModelMeta]:
    """The shipped model; raises `ModelError` if an installation is damaged."""
    folder = files(__name__)
    return load_blend({name: (folder / name).read_bytes() for name in FILES})
