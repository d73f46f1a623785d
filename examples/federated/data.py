"""The data: scikit-learn's digits, divided once and for all by a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 20
HELD_OUT = 0.25

Samples = tuple[NDArray[np.float64], NDArray[np.int64]]


def _divided() -> tuple[Samples, Samples]:
    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        images / 16.0, labels, test_size=HELD_OUT, random_state=SEED, stratify=labels
    )
    return (train_x, train_y), (test_x, test_y)


def held_out() -> Samples:
    """What no trainer has: the node judges models by it."""
    return _divided()[1]


def shard(index: int, count: int) -> Samples:
    """What trainer `index` of `count` has; of different sizes, disjoint, together all there is."""
    (images, labels), _ = _divided()
    bounds = np.cumsum(np.arange(1, count + 1)) * len(images) // (count * (count + 1) // 2)
    begin = 0 if index == 0 else int(bounds[index - 1])
    return images[begin : bounds[index]], labels[begin : bounds[index]]
