"""An app with native code of others in it."""

import ccf
import numpy


@ccf.endpoint("/mean", methods=["POST"], auth=["no_auth"])
def mean(request):
    values = numpy.asarray(request.body.json(), dtype=float)
    ccf.kv["means"]["last"] = float(values.mean())
    return {"mean": float(values.mean()), "rank": int(numpy.linalg.matrix_rank(numpy.outer(values, values)))}
