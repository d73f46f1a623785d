from affiant.ccf.crypto import *
from affiant.ccf.crypto import __all__ as __all__
