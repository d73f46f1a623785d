"""C.2: who calls, as a handler sees it."""

from cryptography.hazmat.primitives.asymmetric import ec, rsa

import apps
from people import identity, person


def run(t):
    for name, path, policy in (
        ("user0", "/app/echo/user", "user_cert"), ("user1", "/app/echo/user", "user_cert"),
        ("member0", "/app/echo/member", "member_cert"),
        ("member1", "/app/echo/member", "member_cert"),
    ):
        id_, pem = identity(t.main.identity(name))
        caller = t.main.client(name).get(path).json["caller"]
        caller["cert"] = caller["cert"].strip() == pem.strip() or caller["cert"]
        t.equal(f"{policy} of {name}", caller,
                {"policy": policy, "id": id_, "data": apps.USER_DATA.get(name), "cert": True})
    id_, pem = identity(t.main.identity("user0"))
    caller = t.main.client("user0").get("/app/echo/any").json["caller"]
    t.equal("any_cert has no id", sorted(caller), ["cert", "policy"])
    caller = t.main.client("user0").get("/app/echo/both").json["caller"]
    t.equal("all_of lists its policies, sorted", caller["policy"], ["any_cert", "user_cert"])
    t.equal("and has each one's caller", [sorted(caller), caller["user_cert"]["id"],
                                          caller["any_cert"]["policy"]],
            [["any_cert", "policy", "user_cert"], id_, "any_cert"])
    t.equal("all_of wants all", t.main.client("member0").get("/app/echo/both").status, 401)
    strangers(t)


def strangers(t):
    curve, rsa_key = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    for name, key in (("P-256", curve), ("P-384", ec.generate_private_key(ec.SECP384R1())),
                      ("RSA", rsa_key)):
        client = t.main.client(person(t.world, f"stranger-{name}", key, -1, 10))
        t.equal(f"any certificate gets through the handshake: {name}",
                client.get("/app/echo/any").json["caller"]["policy"], "any_cert")
    client = t.main.client(person(t.world, "stranger", curve, -1, 10))
    t.equal("a stranger is no user",
            client.get("/app/echo/user").json["error"]["details"][0]["message"],
            "Could not find matching user certificate")
    t.equal("a stranger is no member",
            client.get("/app/echo/member").json["error"]["details"][0]["message"],
            "Could not find matching member certificate")
    for name, begins, ends, word in (("expired", -10, -1, "Not After"),
                                     ("early", 1, 10, "Not Before")):
        client = t.main.client(person(t.world, name, curve, begins, ends))
        answer = client.get("/app/echo/any")
        message = answer.json["error"]["details"][0]["message"]
        t.equal(f"a certificate that is {name}", [answer.status, word in message or message],
                [401, True])
        t.equal(f"a certificate that is {name} serves where none is asked for",
                client.get("/app/echo").status, 200)
