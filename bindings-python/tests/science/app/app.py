"""NumPy, pandas, SciPy, scikit-learn, pydantic and cryptography on what the ledger holds."""

from __future__ import annotations

from datetime import date
from typing import Any

import ccf
import numpy
import pandas
import scipy.integrate
import scipy.linalg
import scipy.optimize
import scipy.stats
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, Field, ValidationError
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression


class Sale(BaseModel):
    """A row, as clients send it."""

    region: str = Field(min_length=1, max_length=20)
    day: date
    units: int = Field(ge=0)
    price: float = Field(gt=0)


@ccf.endpoint("/sales", methods=["POST"])
def add(request: Any) -> Any:
    try:
        sales = [Sale.model_validate(row) for row in request.data]
    except ValidationError as error:
        raise ccf.HTTPError(400, f"{error.error_count()} faults", "InvalidInput") from error
    rows = ccf.kv["sales"]
    for sale in sales:
        rows[f"{len(rows):08}"] = sale.model_dump(mode="json")
    return {"rows": len(rows)}


def frame() -> pandas.DataFrame:
    """All rows."""
    table = pandas.DataFrame([row for _, row in ccf.kv["sales"].items(str)])
    table["day"] = pandas.to_datetime(table["day"])
    table["revenue"] = table["units"] * table["price"]
    return table


@ccf.endpoint("/pandas", methods=["GET"], mode="readonly")
def by_region(request: Any) -> Any:
    table = frame()
    monthly = table.groupby(table["day"].dt.month)["units"].sum()
    joined = table.merge(pandas.DataFrame({"region": ["n", "s"], "rate": [0.1, 0.2]}), on="region")
    return {
        "revenue": table.groupby("region")["revenue"].sum().to_dict(),
        "monthly": {str(month): int(units) for month, units in monthly.items()},
        "tax": float((joined["revenue"] * joined["rate"]).sum()),
        "csv": len(table.to_csv(index=False).splitlines()),
    }


@ccf.endpoint("/numpy", methods=["GET"], mode="readonly")
def algebra(request: Any) -> Any:
    matrix = numpy.array([[4.0, 1.0], [2.0, 3.0]])
    values = numpy.linalg.eigvals(matrix)
    big = numpy.arange(250_000.0).reshape(500, 500)
    product = big @ numpy.eye(500)
    spectrum = numpy.abs(numpy.fft.rfft(numpy.sin(2 * numpy.pi * 5 * numpy.arange(64) / 64)))
    return {
        "solved": numpy.linalg.solve(matrix, numpy.array([6.0, 8.0])).tolist(),
        "eigenvalues": sorted(values.real.tolist()),
        "same": bool((product == big).all()),
        "frequency": int(spectrum.argmax()),
        "random": numpy.random.default_rng(1).integers(0, 100, 1000).mean().item(),
    }


@ccf.endpoint("/scipy", methods=["GET"], mode="readonly")
def science(request: Any) -> Any:
    area, _ = scipy.integrate.quad(numpy.sin, 0, numpy.pi)
    root = scipy.optimize.brentq(lambda x: x**3 - 2, 0, 2)
    found = scipy.optimize.minimize(lambda p: (p[0] - 1) ** 2 + (p[1] + 2) ** 2, [0.0, 0.0])
    slope = scipy.stats.linregress([1, 2, 3, 4], [3, 5, 7, 9])
    lower = scipy.linalg.cholesky(numpy.array([[4.0, 2.0], [2.0, 3.0]]), lower=True)
    return {
        "area": area,
        "root": root,
        "minimum": found.x.tolist(),
        "slope": float(slope.slope),
        "normal": float(scipy.stats.norm.cdf(1.96)),
        "cholesky": lower.tolist(),
    }


@ccf.endpoint("/sklearn", methods=["GET"], mode="readonly")
def learn(request: Any) -> Any:
    source = numpy.random.default_rng(7)
    x = source.normal(size=(200, 3))
    line = LinearRegression().fit(x, x @ numpy.array([1.0, -2.0, 0.5]) + 4)
    labels = (x[:, 0] + x[:, 1] > 0).astype(int)
    classes = LogisticRegression().fit(x, labels)
    points = numpy.concatenate([source.normal(-5, 0.1, (50, 2)), source.normal(5, 0.1, (50, 2))])
    groups = KMeans(n_clusters=2, n_init=3, random_state=0).fit(points)
    return {
        "weights": [*line.coef_.tolist(), float(line.intercept_)],
        "score": float(classes.score(x, labels)),
        "centres": sorted(groups.cluster_centers_[:, 0].tolist()),
    }


@ccf.endpoint("/cryptography", methods=["POST"])
def sign(request: Any) -> Any:
    key = ec.generate_private_key(ec.SECP256R1())
    message = request.body.bytes()
    signature = key.sign(message, ec.ECDSA(hashes.SHA256()))
    key.public_key().verify(signature, message, ec.ECDSA(hashes.SHA256()))
    try:
        key.public_key().verify(signature, message + b"x", ec.ECDSA(hashes.SHA256()))
        refused = False
    except InvalidSignature:
        refused = True
    digest = hashes.Hash(hashes.SHA256())
    digest.update(message)
    ccf.kv["signatures"][message] = signature
    return {"refused": refused, "digest": digest.finalize().hex()}
