"""The private write and read of a logging service, for the load driver; as app/src/logging.js."""

import ccf

records = ccf.kv["records"]


@ccf.endpoint("/log/private", methods=["POST"], respond="early")
def post_private(request):
    record = request.body.json()
    message = record["msg"]
    if not isinstance(message, str) or not message:
        return {"statusCode": 400, "body": "Cannot record an empty log message"}
    records[record["id"].to_bytes(8, "little")] = message.encode()
    return {"body": True}


@ccf.endpoint("/log/private", methods=["GET"], mode="readonly", respond="early")
def get_private(request):
    number = id_of(request.query)
    message = records.get(number.to_bytes(8, "little"))
    if message is None:
        return {"statusCode": 404, "body": f"No such record: {number}."}
    return {"body": {"msg": message.decode()}}


def id_of(query):
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name == "id":
            return int(value)
    raise ValueError("the query parameter 'id' is missing")
