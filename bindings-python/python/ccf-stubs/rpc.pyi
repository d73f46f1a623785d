from affiant.ccf.rpc import *
from affiant.ccf.rpc import __all__ as __all__
