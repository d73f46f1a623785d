"""D.6: indexing."""

from kit import UNDEFINED
from language import either


def run(t):
    t.do("an app cannot install an index", either(
        "return ccf.indexing", "return getattr(ccf, 'indexing', None)"), UNDEFINED)
    t.equal("no strategy is installed", t.main.get("/node/index/strategies").plain,
            [200, "application/json", "[]"])
