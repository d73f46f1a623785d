"""B.9: redirection. A lone node is the primary of its service."""

import apps


def run(t):
    node = apps.node(t.world)
    redirecting = node.client(None, "redirecting")
    t.equal("what goes to the primary is served here", redirecting.get("/app/nothing").plain,
            [200, "text/plain", "nothing"])
    t.equal("what goes to a backup finds none", redirecting.get("/app/odd/1").error,
            [503, "BackupNotFound", "Request should be redirected to backup, but receiving node "
             "does not know current backup address"])
    answer = node.client(None, "redirecting_there").get("/app/odd/a%20b?c=%20d")
    t.equal("to a backup at a fixed address",
            [answer.status, answer.headers.get("location"), answer.body],
            [307, "https://backup.example:443/app/odd/a%20b?c=%20d", b""])
    t.equal("only what goes to a backup", node.client(None, "redirecting_there")
            .get("/app/nothing").status, 200)
    t.equal("an interface without redirections serves both", node.get("/app/odd/1").json,
            {"name": "one", "params": {"a": "1"}})
    answer = node.ask("HEAD", "/node/primary")
    t.equal("HEAD /node/primary", [answer.status, answer.body], [200, b""])
    t.equal("GET /node/primary", node.get("/node/primary").plain, [200, None, ""])
    t.equal("GET /node/backup", node.get("/node/backup").error,
            [404, "ResourceNotFound", "Node is not backup"])
    shown = node.get("/node/network/nodes/self").json["rpc_interfaces"]
    t.equal("redirections are shown as configured",
            shown["redirecting"]["redirections"]["to_backup"],
            {"kind": "NodeByRole", "target": {"role": "backup"}})
