from affiant.ccf.governance import *
