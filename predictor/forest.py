"""The Random Forest: trained with scikit-learn, stored as ONNX, served by ONNX Runtime.

Neither side ever unpickles anything: ONNX is data, and a stored model is only parsed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from predictor.experts import Floats
from streams.contracts.errors import ConfigurationError, ContractError

#: skl2onnx's newest operator set that the oldest supported ONNX Runtime reads.
_OPSET = {"": 17, "ai.onnx.ml": 3}


class ForestConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Chosen on validation slices: more trees or smaller leaves gain little and cost time and size."""

    trees: int = 30
    min_leaf: int = 20
    max_depth: int = 14
    #: Features that each split looks at: about a fifth of them with 23 outcomes, fewer with more.
    max_features: int = 16
    seed: int = 0
    #: Threads of the training; predictions always use one.
    jobs: int = 2

    def __post_init__(self) -> None:
        if min(self.trees, self.min_leaf, self.max_depth, self.max_features, self.jobs) < 1:
            raise ConfigurationError("trees, min_leaf, max_depth, max_features and jobs are at least 1")


class Forest:
    """A forest as ONNX Runtime serves it, on one thread. `classes` are the outcome ids of its columns."""

    def __init__(self, onnx: bytes) -> None:
        self.onnx = onnx
        self._session = _open_session(onnx)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        names = [output.name for output in outputs]
        metadata = self._session.get_modelmeta().custom_metadata_map
        if len(inputs) != 1 or "probabilities" not in names or "classes" not in metadata:
            raise ContractError("this ONNX model is not one of our forests; train the model again")
        self._input = inputs[0].name
        self.features = int(inputs[0].shape[1])
        self.classes = np.array([int(name) for name in metadata["classes"].split(",")], np.int64)

    def predict(self, inputs: Floats) -> Floats:
        """Probabilities [n, classes] for features [n, features]."""
        answer: Floats = self._session.run(["probabilities"], {self._input: inputs})[0]
        return answer

    @classmethod
    def load(cls, path: Path) -> Forest:
        return cls(path.read_bytes())


def train_forest(inputs: Floats, outcomes: Any, config: ForestConfig) -> Forest:
    """Fits a forest to features [n, features] and outcome ids [n]; the same seed gives the same forest."""
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - only training needs it

    classifier = RandomForestClassifier(
        n_estimators=config.trees,
        min_samples_leaf=config.min_leaf,
        max_depth=config.max_depth,
        max_features=min(config.max_features, inputs.shape[1]),
        random_state=config.seed,
        n_jobs=config.jobs,
    )
    classifier.fit(inputs, outcomes)
    return Forest(_to_onnx(classifier, inputs.shape[1]))


def _to_onnx(classifier: Any, features: int) -> bytes:
    from skl2onnx import to_onnx  # noqa: PLC0415 - only training needs it
    from skl2onnx.common.data_types import FloatTensorType  # noqa: PLC0415

    model = to_onnx(
        classifier,
        initial_types=[("features", FloatTensorType([None, features]))],
        options={id(classifier): {"zipmap": False}},
        target_opset=_OPSET,
    )
    entry = model.metadata_props.add()
    entry.key, entry.value = "classes", ",".join(str(int(name)) for name in classifier.classes_)
    serialized: bytes = model.SerializeToString()
    return serialized


def _open_session(onnx: bytes) -> Any:
    try:
        import onnxruntime as ort  # noqa: PLC0415 - an extra: the n-gram works without it
    except ImportError as exc:
        raise ConfigurationError(
            "the forest needs the extra `forest`: pip install precompute[forest]"
        ) from exc

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # the runtime's own exceptions share no base but this
        raise ContractError(f"this is not a readable ONNX model ({exc}); train the model again") from exc
