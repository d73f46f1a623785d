# Type checkers do not run the finder that makes `import ccf` find affiant.ccf; the types are there.
from affiant.ccf import *
from affiant.ccf import __all__ as __all__
from affiant.ccf import HistoricalState, Request

# Of the running request, looked up each time.
request: Request | None
historical_state: HistoricalState | None
