from affiant.ccf.consensus import *
from affiant.ccf.consensus import __all__ as __all__
