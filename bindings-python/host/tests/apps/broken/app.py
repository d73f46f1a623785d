"""An app that cannot be imported."""

import ccf

TABLE = ccf.kv
VALUE = {"there": 1}["missing"]
