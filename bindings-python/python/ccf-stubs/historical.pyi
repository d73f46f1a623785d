from affiant.ccf.historical import *
from affiant.ccf.historical import __all__ as __all__
