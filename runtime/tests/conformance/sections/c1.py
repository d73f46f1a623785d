"""C.1: policies are tried in order."""

BEARER = 'Bearer realm="JWT bearer token access", error="invalid_token"'
COSE = 'COSE-SIGN1 realm="Signed request access"'
REFUSED = "Invalid authentication credentials."


def detail(policy, message):
    return {"auth_policy": policy, "code": "InvalidAuthenticationInfo", "message": message}


def run(t):
    answer = t.main.get("/app/echo/user")
    t.equal("nobody is admitted", answer.error, [401, "InvalidAuthenticationInfo", REFUSED])
    t.equal("the policy says why", answer.json["error"]["details"],
            [detail("user_cert", "No caller user certificate")])
    t.equal("a certificate policy sets no challenge", answer.headers.get("www-authenticate"), None)
    answer = t.main.get("/app/echo/user_or_member")
    t.equal("every policy says why, in order", answer.json["error"]["details"],
            [detail("user_cert", "No caller user certificate"),
             detail("member_cert", "No caller user certificate")])
    t.equal("any_cert says why", t.main.get("/app/echo/any").json["error"]["details"],
            [detail("any_cert", "No caller certificate")])
    member, user = t.main.client("member0"), t.main.client("user0")
    t.equal("a member is no user", member.get("/app/echo/user").json["error"]["details"],
            [detail("user_cert", "Could not find matching user certificate")])
    t.equal("a user is no member", user.get("/app/echo/member").json["error"]["details"],
            [detail("member_cert", "Could not find matching member certificate")])

    def admitted(client, path):
        return client.get(path).json["caller"]["policy"]

    t.equal("the first that admits decides", admitted(user, "/app/echo/user_or_none"), "user_cert")
    t.equal("else the next", admitted(t.main.client(), "/app/echo/user_or_none"), "no_auth")
    t.equal("of two kinds, the one that it is", admitted(member, "/app/echo/user_or_member"),
            "member_cert")
    t.equal("no policy, no caller", user.get("/app/echo/anybody").json["caller"], None)
    t.equal("no_auth does not look at certificates", admitted(user, "/app/echo"), "no_auth")
    t.equal("the last policy sets the challenge",
            [answer.headers.get("www-authenticate") for answer in
             (t.main.get("/app/echo/jwt"), t.main.post("/app/signed"),
              t.main.get("/app/echo/jwt_or_user"), t.main.post("/app/signed/or_user"))],
            [BEARER, COSE, None, None])
    answer = t.main.get("/app/echo/both")
    t.equal("all_of is named by its policies, the first that refuses says why",
            answer.json["error"]["details"],
            [detail("any_cert+user_cert", "any_cert:No caller certificate")])
    t.equal("401 is no page of the app", t.main.get("/app/echo/user").type, "application/json")
