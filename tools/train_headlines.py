"""Trains the headline model on randomised A/B tests and writes its coefficients with their metrics.

    python tools/train_headlines.py ARCHIVE.parquet handlers/models/headlines.json.gz

The archive is the exploratory set of the Upworthy Research Archive (CC BY 4.0): one row per headline package,
with its test, image, impressions, clicks and week. Needs the train extra. Split in time: the first 64 % of
the tests train, the next 16 % choose the penalty and fit the slope, the last 20 % are looked at once.
"""

from __future__ import annotations

import argparse
import gzip
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from handlers.headlines import (
    STYLE_SCALE,
    Card,
    HeadlineModel,
    normal,
    piece_terms,
    style_of,
    term_values,
    word_terms,
)

#: A term in fewer headlines is an accident.
MIN_WORD_HEADLINES, MIN_PIECE_HEADLINES = 5, 12
PENALTIES = (0.01, 0.03, 0.1, 0.3)
#: Pairs with different images teach about headlines too, through the image's noise.
OTHER_IMAGE_WEIGHT = 0.5
#: A pair counts by its z-score, up to this.
MAX_EVIDENCE = 4.0
SIGNIFICANT = 1.96


class Package(msgspec.Struct):
    """One headline of one test under one image; rows that repeat it are summed."""

    test: str
    image: str
    headline: str
    week: int
    impressions: int = 0
    clicks: int = 0


class Pairs(msgspec.Struct):
    """Indices of two packages each, the z-score of their click rates, and whether they share an image."""

    first: Any
    second: Any
    z: Any
    same_image: Any


def read_packages(path: Path) -> list[Package]:
    columns = ["clickability_test_id", "eyecatcher_id", "headline", "test_week", "impressions", "clicks"]
    found: dict[tuple[str, str, str], Package] = {}
    for test, image, headline, week, impressions, clicks in zip(
        *(pq.read_table(path, columns=columns).column(name).to_pylist() for name in columns), strict=True
    ):
        text = normal(headline)
        package = found.setdefault((test, image, text), Package(test, image, text, week))
        package.impressions += impressions
        package.clicks += clicks
    return list(found.values())


def make_pairs(packages: list[Package], weeks: range, *, same_image: bool) -> Pairs:
    """All pairs of different headlines of one test that began in `weeks`, except ties of the click rate."""
    tests: dict[str, list[int]] = defaultdict(list)
    for index, package in enumerate(packages):
        if package.week in weeks:
            tests[package.test].append(index)
    chosen = [
        (i, j)
        for members in tests.values()
        for i, j in combinations(members, 2)
        if packages[i].headline != packages[j].headline
        and (not same_image or packages[i].image == packages[j].image)
    ]
    first, second = np.array(chosen).T
    z = z_scores(packages, first, second)
    told = z != 0
    same = np.array([packages[i].image == packages[j].image for i, j in chosen])
    return Pairs(first[told], second[told], z[told], same[told])


def z_scores(packages: list[Package], first: Any, second: Any) -> Any:
    """The two-proportion z statistic of each pair."""
    shown = np.array([package.impressions for package in packages], float)
    clicked = np.array([package.clicks for package in packages], float)
    pooled = (clicked[first] + clicked[second]) / (shown[first] + shown[second])
    error = np.sqrt(pooled * (1 - pooled) * (1 / shown[first] + 1 / shown[second])) + 1e-12
    return (clicked[first] / shown[first] - clicked[second] / shown[second]) / error


class Features:
    """The terms and styles of the training headlines, and the matrix of any headlines in them."""

    def __init__(self, texts: list[str]) -> None:
        self.words = _idf(texts, word_terms, MIN_WORD_HEADLINES)
        self.pieces = _idf(texts, piece_terms, MIN_PIECE_HEADLINES)
        styles = [style_of(text) for text in texts]
        self.style_names = list(styles[0])
        table = np.array([[style[name] for name in self.style_names] for style in styles])
        self.means, self.deviations = table.mean(axis=0), table.std(axis=0) + 1e-9

    def matrix(self, texts: list[str]) -> Any:
        styles = np.array([[style_of(text)[name] for name in self.style_names] for text in texts])
        scaled = STYLE_SCALE * (styles - self.means) / self.deviations
        blocks = [
            _sparse(texts, word_terms, self.words),
            _sparse(texts, piece_terms, self.pieces),
            sp.csr_matrix(scaled),
        ]
        return sp.hstack(blocks).tocsr()

    def model(self, weights: Any, slope: float, card: Card) -> HeadlineModel:
        edges = np.cumsum([len(self.words), len(self.pieces)])
        words, pieces, styles = np.split(weights, edges)
        return HeadlineModel(
            card=card,
            words=_table(self.words, words),
            pieces=_table(self.pieces, pieces),
            styles={
                name: (round(float(m), 5), round(float(d), 5), round(float(w), 5))
                for name, m, d, w in zip(self.style_names, self.means, self.deviations, styles, strict=True)
            },
            slope=round(slope, 4),
        )


def _idf(texts: list[str], terms_of: Any, minimum: int) -> dict[str, float]:
    counts = Counter(term for text in texts for term in set(terms_of(text)))
    kept = sorted(term for term, count in counts.items() if count >= minimum)
    return {term: float(np.log((1 + len(texts)) / (1 + counts[term])) + 1) for term in kept}


def _sparse(texts: list[str], terms_of: Any, idf: dict[str, float]) -> Any:
    places = {term: index for index, term in enumerate(idf)}
    rows, columns, values = [], [], []
    for row, text in enumerate(texts):
        for term, value in term_values(terms_of(text), idf).items():
            rows.append(row)
            columns.append(places[term])
            values.append(value)
    return sp.csr_matrix((values, (rows, columns)), shape=(len(texts), len(idf)))


def _table(idf: dict[str, float], weights: Any) -> dict[str, tuple[float, float]]:
    return {
        term: (round(value, 3), round(float(w), 4))
        for (term, value), w in zip(idf.items(), weights, strict=True)
    }


def fit(matrix: Any, pairs: Pairs, penalty: float) -> Any:
    """The weights of a logistic regression on differences; without intercept: a pair has no order."""
    evidence = np.minimum(np.abs(pairs.z), MAX_EVIDENCE)
    weight = evidence * np.where(pairs.same_image, 1.0, OTHER_IMAGE_WEIGHT)
    regression = LogisticRegression(C=penalty, fit_intercept=False, max_iter=500)
    difference = matrix[pairs.first] - matrix[pairs.second]
    return regression.fit(difference, pairs.z > 0, sample_weight=weight).coef_[0]


def measure(score: Any, pairs: Pairs) -> dict[str, float]:
    """AUC on all pairs of one image, and on those whose difference is statistically significant."""
    difference, won = score[pairs.first] - score[pairs.second], pairs.z > 0
    clear = np.abs(pairs.z) > SIGNIFICANT
    return {
        "auc_same_image": round(float(roc_auc_score(won, difference)), 4),
        "auc_distinguishable": round(float(roc_auc_score(won[clear], difference[clear])), 4),
        "pairs": float(len(won)),
        "pairs_distinguishable": float(clear.sum()),
    }


def fit_slope(score: Any, pairs: Pairs) -> float:
    """What a difference of scores is worth in log odds."""
    difference = (score[pairs.first] - score[pairs.second])[:, None]
    regression = LogisticRegression(C=1e6, fit_intercept=False).fit(difference, pairs.z > 0)
    return float(regression.coef_[0][0])


def train(packages: list[Package]) -> HeadlineModel:
    weeks = sorted({package.test: package.week for package in packages}.values())
    validation, test = weeks[int(0.64 * len(weeks))], weeks[int(0.8 * len(weeks))]
    spans = {
        "train": range(validation),
        "validate": range(validation, test),
        "known": range(test),
        "test": range(test, 10**6),
    }
    texts = [package.headline for package in packages]

    features = Features([p.headline for p in packages if p.week in spans["train"]])
    matrix = features.matrix(texts)
    training = make_pairs(packages, spans["train"], same_image=False)
    judged = make_pairs(packages, spans["validate"], same_image=True)
    tried = {penalty: matrix @ fit(matrix, training, penalty) for penalty in PENALTIES}
    aucs = {penalty: measure(score, judged)["auc_same_image"] for penalty, score in tried.items()}
    penalty = max(aucs, key=lambda one: aucs[one])
    print(f"validation AUC by penalty: {aucs}; chosen {penalty}")

    features = Features([p.headline for p in packages if p.week in spans["known"]])
    matrix = features.matrix(texts)
    weights = fit(matrix, make_pairs(packages, spans["known"], same_image=False), penalty)
    score = matrix @ weights
    metrics = measure(score, make_pairs(packages, spans["test"], same_image=True))
    metrics |= {"validation_auc_same_image": aucs[penalty], "penalty": penalty, "test_from_week": float(test)}
    card = Card(
        id="upworthy-pairwise-1",
        trained_on=(
            "randomised headline tests of Upworthy, English, 2013 to 2015 (Upworthy Research Archive, "
            "exploratory set, Matias et al. 2021), the weeks before the test; news, not advertisements"
        ),
        licence="CC BY 4.0",
        metrics=metrics,
    )
    return features.model(weights, fit_slope(tried[penalty], judged), card)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    model = train(read_packages(given.archive))
    data = gzip.compress(msgspec.json.encode(model), mtime=0)
    given.target.write_bytes(data)
    print(f"{given.target}: {len(data)} bytes, slope {model.slope}, {model.card.metrics}")


if __name__ == "__main__":
    main()
