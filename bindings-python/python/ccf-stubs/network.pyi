from affiant.ccf.network import *
