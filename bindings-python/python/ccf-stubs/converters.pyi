from affiant.ccf.converters import *
