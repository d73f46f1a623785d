"""The endpoint as decorated handlers on Affiant: the store is the node's."""

import ccf

documents = ccf.kv["documents"]


@ccf.endpoint("/documents", methods=["POST"], auth=["no_auth"])
def record(request):
    """Records the document of the body."""
    document = request.body.json()
    documents[str(document["id"])] = document
    return {"statusCode": 201, "body": {"id": document["id"]}}


@ccf.endpoint("/documents/{number}", methods=["GET"], mode="readonly", auth=["no_auth"])
def read(request):
    """The document with the number in the path."""
    document = documents.get(request.params["number"])
    if document is None:
        return {"statusCode": 404, "body": {"error": "no such document"}}
    return {"body": document}
