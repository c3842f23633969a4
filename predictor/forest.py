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

#: The operator set that the oldest supported ONNX Runtime reads, and the file format with it.
_OPSET = {"": 17, "ai.onnx.ml": 3}
_IR_VERSION = 8
_FEATURES, _ANSWER = "features", "log_probabilities"
#: A forest that never saw an outcome says 0; its logarithm must stay finite.
FLOOR = 1e-4


class ForestConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Chosen on validation slices: more trees or smaller leaves gain little and cost time and size."""

    trees: int = 20
    min_leaf: int = 20
    max_depth: int = 14
    #: Features that each split looks at: about a third of them with 23 outcomes, fewer with more.
    max_features: int = 24
    seed: int = 0
    #: Threads of the training; predictions always use one.
    jobs: int = 2

    def __post_init__(self) -> None:
        if min(self.trees, self.min_leaf, self.max_depth, self.max_features, self.jobs) < 1:
            raise ConfigurationError("trees, min_leaf, max_depth, max_features and jobs are at least 1")


class Forest:
    """A forest as ONNX Runtime serves it, on one thread.

    `classes` are the outcome ids of its answer's columns; `columns` selects them in an array of outcomes.
    """

    def __init__(self, onnx: bytes) -> None:
        self.onnx = onnx
        self._session = _open_session(onnx)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        metadata = self._session.get_modelmeta().custom_metadata_map
        names = [value.name for value in (*inputs, *outputs)]
        if names != [_FEATURES, _ANSWER] or "classes" not in metadata:
            raise ContractError("this ONNX model is not one of our forests; train the model again")
        self.features = int(inputs[0].shape[1])
        self.classes = _classes_of(metadata["classes"], outputs[0].shape[1])
        # A slice is written to much faster than chosen columns, and nearly every forest has all classes.
        self._one = _BoundRow(self._session, self.features, len(self.classes))
        complete = bool((self.classes == np.arange(len(self.classes))).all())
        self.columns: Any = slice(0, len(self.classes)) if complete else self.classes

    def buffer(self, n: int) -> Floats | None:
        """Where the features of n questions may be written; for a single one this spares copies."""
        return self._one.inputs if n == 1 else None

    def predict(self, inputs: Floats) -> Floats:
        """Log-probabilities [n, classes] for features [n, features]; none is below ln(`FLOOR`).

        The answer to what was written into `buffer` is overwritten by the next one.
        """
        if inputs is self._one.inputs:
            return self._one.answer()
        answer: Floats = self._session.run([_ANSWER], {_FEATURES: inputs})[0]
        return answer

    @classmethod
    def load(cls, path: Path) -> Forest:
        return cls(path.read_bytes())


class _BoundRow:
    """One question's features and answer at fixed places: a call without looking up names or copying."""

    def __init__(self, session: Any, features: int, classes: int) -> None:
        from onnxruntime import OrtValue  # noqa: PLC0415 - the session's own library

        self.inputs: Floats = np.zeros((1, features), np.float32)
        self._answer: Floats = np.zeros((1, classes), np.float32)
        self._session = session
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(_FEATURES, OrtValue.ortvalue_from_numpy(self.inputs))
        self._binding.bind_ortvalue_output(_ANSWER, OrtValue.ortvalue_from_numpy(self._answer))

    def answer(self) -> Floats:
        self._session.run_with_iobinding(self._binding)
        return self._answer


def _classes_of(text: str, count: int) -> Any:
    try:
        classes = np.array([int(name) for name in text.split(",")], np.int64)
    except (ValueError, OverflowError):
        classes = np.empty(0, np.int64)
    if len(classes) != count or len(set(classes.tolist())) != count:
        raise ContractError("the classes of this ONNX model are not those of a forest; train the model again")
    return classes


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
    """The forest's mean as one node, and what turns it into log-probabilities."""
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - only training needs it

    classes = classifier.classes_.tolist()
    trees = [_nodes_of(number, estimator.tree_) for number, estimator in enumerate(classifier.estimators_)]
    nodes = {name: np.concatenate([tree[name] for tree in trees]).tolist() for name in trees[0]}
    nodes["target_weights"] = (np.array(nodes["target_weights"]) / len(trees)).tolist()
    graph = helper.make_graph(
        [
            helper.make_node(
                "TreeEnsembleRegressor",
                [_FEATURES],
                ["shares"],
                domain="ai.onnx.ml",
                n_targets=len(classes),
                **nodes,
            ),
            helper.make_node("Add", ["shares", "floor"], ["raised"]),
            helper.make_node("Log", ["raised"], [_ANSWER]),
        ],
        "forest",
        [helper.make_tensor_value_info(_FEATURES, TensorProto.FLOAT, [None, features])],
        [helper.make_tensor_value_info(_ANSWER, TensorProto.FLOAT, [None, len(classes)])],
        [numpy_helper.from_array(np.array([FLOOR], np.float32), "floor")],
    )
    operators = [helper.make_opsetid(domain, version) for domain, version in _OPSET.items()]
    model = helper.make_model(graph, opset_imports=operators, ir_version=_IR_VERSION)
    entry = model.metadata_props.add()
    entry.key, entry.value = "classes", ",".join(map(str, classes))
    serialized: bytes = model.SerializeToString()
    return serialized


def _nodes_of(number: int, tree: Any) -> dict[str, Any]:
    """A tree as ONNX describes it. A leaf has no weight for an outcome that it never saw: most of a leaf is
    zeros, and the time of a prediction is that of fetching leaves from memory.
    """
    inner = tree.children_left >= 0
    leaves = np.flatnonzero(~inner)
    shares = tree.value[leaves, 0] / tree.value[leaves, 0].sum(axis=1, keepdims=True)
    leaf, outcome = shares.nonzero()
    # The trees were grown in float64 and are asked in float32: rounding down keeps every x <= threshold.
    limits = tree.threshold.astype(np.float32)
    limits = np.where(limits > tree.threshold, np.nextafter(limits, np.float32(-np.inf)), limits)
    return {
        "nodes_treeids": np.full(tree.node_count, number),
        "nodes_nodeids": np.arange(tree.node_count),
        "nodes_featureids": np.where(inner, tree.feature, 0),
        "nodes_modes": np.where(inner, "BRANCH_LEQ", "LEAF"),
        "nodes_values": np.where(inner, limits, 0.0),
        "nodes_truenodeids": np.where(inner, tree.children_left, 0),
        "nodes_falsenodeids": np.where(inner, tree.children_right, 0),
        "target_treeids": np.full(len(leaf), number),
        "target_nodeids": leaves[leaf],
        "target_ids": outcome,
        "target_weights": shares[leaf, outcome],
    }


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
