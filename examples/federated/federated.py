"""Federated learning: trainers send gradients, never data; the node makes the model of each round.

Who trained is fixed by the service's users. What each sent stays in encrypted maps that no endpoint reads
out; the model's file is public to the users, and its SHA-256 is the claims digest of the transaction that
made it.
"""

from __future__ import annotations

import hashlib
from typing import Any

import ccf
import data
import model
import numpy as np
from sklearn.metrics import accuracy_score, log_loss

TRAINERS_COUNT_MAX = 100
ROUNDS_COUNT_MAX = 10_000
RATE_MAX = 10.0
GRADIENT_NORM_MAX = 100.0
SAMPLES_COUNT_MAX = 1_000_000

training = ccf.kv["training"]
rounds = ccf.kv["rounds"]
models = ccf.kv["models"]
gradients = ccf.kv["gradients"]

HELD_OUT_IMAGES, HELD_OUT_LABELS = data.held_out()


def refuse(status: int, code: str, message: str) -> ccf.HTTPError:
    """An answer that keeps nothing."""
    return ccf.HTTPError(status, message, code=code)


def admit(request: Any, *roles: str) -> str:
    """The caller's id, if the service gave the caller one of these roles."""
    role = (request.caller.data or {}).get("role")
    if role not in roles:
        raise refuse(403, "WrongRole", f"This is for {' and '.join(roles)}, not for role {role}.")
    return str(request.caller.id)


def state() -> dict[str, Any]:
    """The training's state: latest round, trainers per round, learning rate."""
    found = training.get("state")
    if found is None:
        raise refuse(404, "NoTraining", "There is no training yet: POST /app/training starts one.")
    return dict(found)


def round_of(request: Any) -> int:
    """The round in the path."""
    text = request.params["round"]
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise refuse(400, "InvalidRound", f"{text} is no number of a round.")
    return int(text)


def record_model(number: int, weights: model.Array, trainers: int, samples: int) -> dict[str, Any]:
    """Keeps the model that came out of a round, and binds the transaction to its file."""
    content = model.save(number, weights)
    digest = hashlib.sha256(content)
    predicted = model.probabilities(weights, HELD_OUT_IMAGES)
    record = {
        "round": number,
        "model_sha256": digest.hexdigest(),
        "accuracy": float(accuracy_score(HELD_OUT_LABELS, predicted.argmax(axis=1))),
        "loss": float(log_loss(HELD_OUT_LABELS, predicted)),
        "trainers": trainers,
        "samples": samples,
    }
    models[number.to_bytes(4, "big")] = content
    rounds[str(number)] = record
    ccf.rpc.set_claims_digest(digest.digest())
    return record


@ccf.endpoint("/training", methods=["POST"])
def begin(request: Any) -> Any:
    """The coordinator fixes how many trainers make a round, and the learning rate."""
    admit(request, "coordinator")
    body = request.data if isinstance(request.data, dict) else {}
    trainers, rate = body.get("trainers"), body.get("rate")
    if type(trainers) is not int or not 1 <= trainers <= TRAINERS_COUNT_MAX:
        raise refuse(400, "InvalidInput", f"trainers is a number from 1 to {TRAINERS_COUNT_MAX}.")
    if type(rate) not in (int, float) or not 0 < rate <= RATE_MAX:
        raise refuse(400, "InvalidInput", f"rate is a number above 0, at most {RATE_MAX}.")
    if "state" in training:
        raise refuse(409, "TrainingRuns", "There is a training already.")
    training["state"] = {"round": 0, "trainers": trainers, "rate": rate}
    return ccf.Response(record_model(0, model.start(), 0, 0), status_code=201)


@ccf.endpoint("/training", mode="readonly")
def read_training(request: Any) -> dict[str, Any]:
    """The latest round, and how many gradients the next one has."""
    admit(request, "coordinator", "trainer", "auditor")
    return {"body": {**state(), "received": len(gradients)}}


@ccf.endpoint("/rounds/{round}", mode="readonly")
def read_round(request: Any) -> dict[str, Any]:
    """What came out of a round, how good it is, and in which transaction."""
    admit(request, "coordinator", "trainer", "auditor")
    number = str(round_of(request))
    record = rounds.get(number)
    if record is None:
        raise refuse(404, "NoRound", f"Round {number} is not over.")
    seqno = rounds.get_version_of_previous_write(number)
    view = ccf.consensus.get_view_for_seqno(seqno)
    return {"body": {**record, "transaction_id": f"{view}.{seqno}"}}


@ccf.endpoint("/rounds/{round}/model", mode="readonly")
def read_model(request: Any) -> bytes:
    """The file of the model that came out of a round."""
    admit(request, "coordinator", "trainer", "auditor")
    number = round_of(request)
    content = models.get(number.to_bytes(4, "big"))
    if content is None:
        raise refuse(404, "NoRound", f"Round {number} is not over.")
    return bytes(content)


@ccf.endpoint("/rounds/{round}/gradients", methods=["POST"])
def send_gradient(request: Any) -> dict[str, Any]:
    """A trainer's gradient at the model of the round before; the last one of a round ends it."""
    trainer = admit(request, "trainer")
    now = state()
    number = round_of(request)
    if number != now["round"] + 1 or number > ROUNDS_COUNT_MAX:
        raise refuse(409, "WrongRound", f"Round {now['round'] + 1} is the one that is open.")
    if trainer.encode() in gradients:
        raise refuse(409, "SentAlready", "One gradient a round; this round has yours.")
    samples, sent = parse(request)
    gradients[trainer.encode()] = samples.to_bytes(4, "big") + sent.tobytes()
    received = len(gradients)
    if received < now["trainers"]:
        return {"body": {"round": number, "received": received, "over": False}}
    return {"body": {**end_round(now, number), "received": received, "over": True}}


def end_round(now: dict[str, Any], number: int) -> dict[str, Any]:
    """Makes the next model of all gradients, and forgets them."""
    sent = []
    for content in gradients.values():
        array = np.frombuffer(content[4:]).reshape(model.SHAPE)
        sent.append((array, int.from_bytes(content[:4], "big")))
    _, before = model.load(models[(number - 1).to_bytes(4, "big")])
    weights = model.step(before, sent, now["rate"])
    gradients.clear()
    training["state"] = {**now, "round": number}
    return record_model(number, weights, len(sent), sum(samples for _, samples in sent))


def parse(request: Any) -> tuple[int, model.Array]:
    """Samples and gradient: JSON `{"samples", "gradient"}`, or an .npy file and `?samples=`."""
    try:
        if request.headers.get("content-type") == "application/json":
            body = request.body.json()
            samples, array = body["samples"], np.array(body["gradient"], dtype=np.float64)
        else:
            samples = int(request.query.removeprefix("samples="))
            array = model.load_array(request.body.bytes())
    except (ValueError, TypeError, KeyError) as error:
        raise refuse(400, "InvalidGradient", f"Neither JSON nor an .npy file: {error}") from error
    if type(samples) is not int or not 1 <= samples <= SAMPLES_COUNT_MAX:
        raise refuse(400, "InvalidGradient", f"samples is from 1 to {SAMPLES_COUNT_MAX}.")
    if array.shape != model.SHAPE or array.dtype != np.float64:
        message = f"{array.dtype} of shape {array.shape}, not float64 of shape {model.SHAPE}."
        raise refuse(400, "InvalidGradient", message)
    # Also refuses what is not a number: no comparison with it holds.
    if not np.linalg.norm(array) <= GRADIENT_NORM_MAX:
        raise refuse(400, "InvalidGradient", f"Its norm is not at most {GRADIENT_NORM_MAX}.")
    return samples, array
