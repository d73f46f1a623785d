"""Which standard modules an app may import, and why not the others.

The list is by name, so a module that a later Python adds is refused until someone has thought about it.
Modules that compute, parse, format and log are on it. So are clients and servers of the network (`ssl`,
`http`, `smtplib`): code shares types and parsers with them, and their sockets are judged when used.
`gc` is on it for `gc.collect`; walking the heap (`gc.get_objects`) is refused when used. `signal`
is on it for its constants; its functions refuse.

Off it, each for a reason:

* other programs: subprocess, multiprocessing, pty, pipes, webbrowser, antigravity, venv, ensurepip;
* native code and memory: ctypes, faulthandler (it can crash the process on purpose), marshal;
* the system below the audit: posix, nt, fcntl, resource, termios, tty, syslog, readline, curses, pwd,
  grp, spwd, crypt, nis, dbm (its C libraries open files without an audit event), msvcrt, winreg;
* seeing and steering other code: pdb, bdb, profile, cProfile, trace, code, rlcompleter, pydoc;
* modules whose name begins with an underscore, except those that native code imports in the name of
  whoever runs it, like `_io` and `_strptime`, and others that only compute;
* desktops: tkinter, turtle, idlelib, ossaudiodev, winsound.

Installed libraries and the standard library itself may import what they need (NumPy loads ctypes,
scikit-learn multiprocessing): what they do with it is judged when they do it. `NEVER` is refused to them
too.
"""

from __future__ import annotations

ALLOWED = frozenset("""
    __future__ _thread abc aifc argparse array ast asynchat asyncio asyncore atexit audioop base64 binascii
    bisect builtins bz2 calendar cgi cgitb chunk cmath cmd codecs codeop collections colorsys
    compileall concurrent configparser contextlib contextvars copy copyreg csv dataclasses datetime decimal
    difflib dis doctest email encodings enum errno filecmp fileinput fnmatch fractions ftplib functools gc
    genericpath getopt gettext glob graphlib gzip hashlib heapq hmac html http imaplib imghdr imp importlib
    inspect io ipaddress itertools json keyword lib2to3 linecache locale logging lzma mailbox mailcap math
    mimetypes mmap modulefinder netrc nntplib ntpath nturl2path numbers opcode operator optparse os pathlib
    pickle pickletools pkgutil platform plistlib poplib posixpath pprint py_compile pyclbr queue quopri
    random re reprlib runpy sched secrets select selectors shelve shlex shutil signal site smtpd smtplib
    sndhdr socket socketserver sqlite3 sre_compile sre_constants sre_parse ssl stat statistics string
    stringprep struct sunau symtable sys sysconfig tabnanny tarfile telnetlib tempfile textwrap this
    threading time timeit token tokenize tomllib traceback tracemalloc types typing unicodedata unittest
    urllib uu uuid warnings wave weakref wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo
    _abc _ast _asyncio _bisect _blake2 _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp
    _codecs_kr _codecs_tw _collections _collections_abc _colorize _compat_pickle _compression _contextvars
    _csv _datetime _decimal _elementtree _functools _hashlib _heapq _io _json _locale _lzma _markupbase
    _md5 _multibytecodec _opcode _opcode_metadata _operator _pickle _py_abc _pydatetime _pydecimal _pyio
    _pylong _queue _random _sha1 _sha2 _sha256 _sha3 _sha512 _sitebuiltins _socket _sqlite3 _sre _ssl _stat
    _statistics _string _strptime _struct _suggestions _symtable _sysconfig _threading_local _tokenize
    _tracemalloc _typing _uuid _warnings _weakref _weakrefset _zoneinfo pyexpat
    """.split())

# Interpreters of their own would run without this guard, `_test...` modules break the rules of memory on
# purpose, and the databases open files without an audit event (`dbm` then takes its own in Python).
NEVER = frozenset("""
    _xxsubinterpreters _interpreters _testcapi _testinternalcapi _testlimitedcapi _testbuffer
    _testimportmultiple _testmultiphase _testsinglephase _testexternalinspection _testclinic
    _testclinic_limited _ctypes_test _xxtestfuzz xxlimited xxlimited_35 _gdbm _dbm
    """.split())

# Names no app module and no wheel may have, besides those of the standard library.
RESERVED = frozenset({"ccf", "affiant"})

# Modules whose functions are replaced, and which may not be loaded a second time.
ONCE = frozenset("""
    _imp _posixsubprocess _signal _socket _thread builtins faulthandler os posix signal sys
    """.split())
