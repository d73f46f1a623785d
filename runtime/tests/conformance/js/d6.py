"""D.6: indexing."""

from kit import UNDEFINED


def run(t):
    t.js("an app cannot install an index", "return ccf.indexing", UNDEFINED)
    t.equal("no strategy is installed", t.main.get("/node/index/strategies").plain,
            [200, "application/json", "[]"])
