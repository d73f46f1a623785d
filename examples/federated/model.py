"""The model, for node and trainers alike: a softmax classifier of digits, 8 by 8 pixels, in NumPy."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PIXELS = 64
CLASSES = 10
SHAPE = (PIXELS + 1, CLASSES)
"""One row of weights per pixel, and one for the constant."""

# The file says which round it is of, so that its digest, which a receipt attests, says so too.
FILE = np.dtype([("round", "<u4"), ("weights", "<f8", SHAPE)])


def start() -> Array:
    """The weights before the first round."""
    return np.zeros(SHAPE)


def probabilities(weights: Array, images: Array) -> Array:
    """The probability of each class, a row per image; pixels are from 0 to 1."""
    scores = images @ weights[:-1] + weights[-1]
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def gradient(weights: Array, images: Array, labels: NDArray[np.int64]) -> Array:
    """The gradient of the mean cross entropy at `weights`."""
    errors = probabilities(weights, images) - np.eye(CLASSES)[labels]
    return np.vstack([images.T @ errors, errors.sum(axis=0)]) / len(images)


def step(weights: Array, sent: list[tuple[Array, int]], rate: float) -> Array:
    """The weights after a round: against the mean of the gradients, weighted by samples.

    Sums of floating point numbers depend on their order, so it is that of the gradients' bytes: who
    has the same gradients makes the same model, bit by bit, whoever came first.
    """
    ordered = sorted(sent, key=lambda pair: (pair[0].tobytes(), pair[1]))
    gradients = np.stack([gradient for gradient, _ in ordered])
    mean = np.average(gradients, axis=0, weights=[samples for _, samples in ordered])
    return np.asarray(weights - rate * mean)


def save(round_number: int, weights: Array) -> bytes:
    """A model as the bytes of an .npy file."""
    record = np.zeros((), FILE)
    record["round"] = round_number
    record["weights"] = weights
    return save_array(record)


def load(content: bytes) -> tuple[int, Array]:
    """Round and weights of a model file. Raises ValueError if it is none."""
    record = load_array(content)
    if record.dtype != FILE or record.shape != ():
        raise ValueError(f"no model: {record.dtype} of shape {record.shape}")
    return int(record["round"]), np.array(record["weights"])


def save_array(array: NDArray[np.generic]) -> bytes:
    """The bytes of an .npy file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def load_array(content: bytes) -> NDArray[np.generic]:
    """The array of an .npy file; never one of Python objects. Raises ValueError if it is none."""
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"no .npy file: {error}") from error
    if not isinstance(array, np.ndarray):
        raise ValueError("an archive of arrays, not an .npy file")
    return array
