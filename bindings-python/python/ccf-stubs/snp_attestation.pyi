from affiant.ccf.snp_attestation import *
from affiant.ccf.snp_attestation import __all__ as __all__
