"""Training with simulated trainers over a ledger in memory."""

import hashlib
import json

import affiant
import data
import model
import numpy as np
import pytest

TRAINERS = 3
RATE = 1.0


@pytest.fixture
def coordinator(client):
    return client.as_user("coordinator", {"role": "coordinator"})


@pytest.fixture
def auditor(client):
    return client.as_user("auditor", {"role": "auditor"})


@pytest.fixture
def trainers(client):
    return [client.as_user(f"trainer{n}", {"role": "trainer"}) for n in range(TRAINERS)]


@pytest.fixture
def begun(coordinator):
    begun = coordinator.post("/training", json={"trainers": TRAINERS, "rate": RATE})
    assert begun.status_code == 201
    return begun


def current(client, number):
    return model.load(client.get(f"/rounds/{number}/model").content)[1]


def send(client, number, gradient, samples=100):
    return client.post(
        f"/rounds/{number}/gradients",
        params={"samples": samples},
        data=model.save_array(gradient),
        headers={"content-type": "application/octet-stream"},
    )


def train(trainers, rounds):
    """Trains, and returns the answer that ended each round."""
    shards = [data.shard(n, len(trainers)) for n in range(len(trainers))]
    ends = []
    for number in range(1, rounds + 1):
        for trainer, (images, labels) in zip(trainers, shards, strict=True):
            weights = current(trainer, number - 1)
            answer = send(trainer, number, model.gradient(weights, images, labels), len(images))
            assert answer.status_code == 200, answer
        assert answer.json()["over"]
        ends.append(answer)
    return ends


def test_the_model_converges(begun, trainers):
    records = [end.json() for end in train(trainers, 40)]
    losses = [begun.json()["loss"], *(record["loss"] for record in records)]
    assert losses[0] == pytest.approx(np.log(10))
    assert all(later < earlier for earlier, later in zip(losses, losses[1:], strict=False))
    assert begun.json()["accuracy"] < 0.2
    assert records[-1]["accuracy"] > 0.9
    assert records[-1]["samples"] == 1347


def test_whoever_has_the_gradients_makes_the_same_models(begun, trainers):
    shards = [data.shard(n, TRAINERS) for n in range(TRAINERS)]
    made = [end.json()["model_sha256"] for end in train(trainers, 5)]
    weights, expected = model.start(), []
    for number in range(1, 6):
        sent = [(model.gradient(weights, *shard), len(shard[0])) for shard in shards]
        assert np.array_equal(
            model.step(weights, sent, RATE), model.step(weights, sent[::-1], RATE)
        )
        weights = model.step(weights, sent, RATE)
        expected.append(hashlib.sha256(model.save(number, weights)).hexdigest())
    assert made == expected


def test_a_receipt_proves_which_model_came_out_of_which_round(begun, trainers, auditor):
    ends = train(trainers, 2)
    for number, end in enumerate([begun, *ends]):
        content = auditor.get(f"/rounds/{number}/model").content
        assert model.load(content)[0] == number
        record = auditor.get(f"/rounds/{number}").json()
        assert record["transaction_id"] == end.transaction_id
        assert record["model_sha256"] == hashlib.sha256(content).hexdigest()
        assert end.receipt().verify(claims=content)
    other = auditor.get("/rounds/1/model").content
    with pytest.raises(affiant.VerificationError, match="claims"):
        ends[1].receipt().verify(claims=other)


def test_json_and_npy_are_the_same_gradient(begun, trainers, auditor):
    gradient = model.gradient(model.start(), *data.shard(0, TRAINERS))
    body = {"samples": 10, "gradient": gradient.tolist()}
    assert trainers[0].post("/rounds/1/gradients", json=body).json()["received"] == 1
    send(trainers[1], 1, gradient, 10)
    assert send(trainers[2], 1, gradient, 10).json()["over"]
    expected = model.step(model.start(), [(gradient, 10)] * 3, RATE)
    assert np.array_equal(current(auditor, 1), expected)


def test_samples_weigh(begun, trainers, auditor):
    for trainer, scale, samples in zip(trainers, (0.1, 0.2, 0.6), (1, 1, 2), strict=True):
        assert send(trainer, 1, np.full(model.SHAPE, scale), samples).status_code == 200
    assert np.allclose(current(auditor, 1), -0.375)


def test_a_trainer_counts_once_a_round(begun, trainers, auditor):
    gradient = np.ones(model.SHAPE)
    assert send(trainers[0], 1, gradient).status_code == 200
    again = send(trainers[0], 1, gradient * 2)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "SentAlready")
    assert auditor.get("/training").json()["received"] == 1
    assert send(trainers[1], 2, gradient).json()["error"]["code"] == "WrongRound"
    assert send(trainers[1], 0, gradient).json()["error"]["code"] == "WrongRound"


def test_only_their_roles_take_part(client, coordinator, begun, trainers, auditor):
    gradient = np.ones(model.SHAPE)
    for other in (client, coordinator, auditor):
        assert send(other, 1, gradient).status_code == 403
    assert trainers[0].post("/training", json={"trainers": 1, "rate": 1}).status_code == 403
    assert coordinator.post("/training", json={"trainers": 1, "rate": 1}).status_code == 409
    assert client.get("/rounds/0").status_code == 403
    assert client.anonymous().get("/rounds/0/model").status_code == 401
    assert auditor.get("/training").json() == {
        "round": 0,
        "trainers": TRAINERS,
        "rate": RATE,
        "received": 0,
    }


def test_nobody_reads_a_gradient(begun, trainers, auditor, coordinator):
    secret = np.full(model.SHAPE, 0.123456789)
    send(trainers[0], 1, secret)
    needle = np.float64(0.123456789).tobytes()
    for reader in (trainers[1], auditor, coordinator):
        for path in ("/training", "/rounds/0", "/rounds/1", "/rounds/0/model", "/rounds/1/model"):
            answer = reader.get(path)
            assert needle not in answer.content and b"0.1234" not in answer.content
        assert reader.get("/rounds/1/gradients").status_code == 405


NOT_A_NUMBER = np.full(model.SHAPE, np.nan)
BODIES = {
    "empty": b"",
    "text": b"gradient",
    "another shape": model.save_array(np.ones((3, 3))),
    "another type": model.save_array(np.ones(model.SHAPE, dtype=np.float32)),
    "not a number": model.save_array(NOT_A_NUMBER),
    "infinite": model.save_array(np.full(model.SHAPE, np.inf)),
    "too long": model.save_array(np.full(model.SHAPE, 1e6)),
    "cut off": model.save_array(np.ones(model.SHAPE))[:-8],
}


@pytest.mark.parametrize("name", BODIES)
def test_what_is_no_gradient_is_refused(begun, trainers, auditor, name):
    refused = trainers[0].post("/rounds/1/gradients?samples=1", data=BODIES[name])
    assert refused.status_code == 400, refused
    assert refused.json()["error"]["code"] == "InvalidGradient"
    assert auditor.get("/training").json()["received"] == 0


@pytest.mark.parametrize("body", [{}, [], {"samples": 1}, {"samples": 0, "gradient": [[1.0]]}])
def test_json_that_is_no_gradient_is_refused(begun, trainers, body):
    assert trainers[0].post("/rounds/1/gradients", json=body).status_code == 400


def test_an_array_of_python_objects_is_never_loaded(begun, trainers, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    np.save(tmp_path / "bomb.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    content = (tmp_path / "bomb.npy").read_bytes()
    refused = trainers[0].post("/rounds/1/gradients?samples=1", data=content)
    assert refused.status_code == 400
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("samples", ["", "0", "-1", "many", "1000001"])
def test_samples_are_a_sensible_number(begun, trainers, samples):
    content = model.save_array(np.ones(model.SHAPE))
    assert (
        trainers[0].post(f"/rounds/1/gradients?samples={samples}", data=content).status_code == 400
    )


@pytest.mark.parametrize(
    "body",
    [{}, [], {"trainers": 0, "rate": 1}, {"trainers": 3, "rate": 0}, {"trainers": True, "rate": 1}],
)
def test_a_training_needs_sensible_settings(coordinator, auditor, body):
    assert coordinator.post("/training", json=body).status_code == 400
    assert auditor.get("/training").status_code == 404
    assert json.loads(auditor.get("/rounds/0").content)["error"]["code"] == "NoRound"
