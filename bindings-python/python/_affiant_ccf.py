"""Makes ``import ccf`` find :mod:`affiant.ccf`, beside Microsoft's package of that name.

Both are called ``ccf``: theirs is a set of tools (``ccf.ledger``, ``ccf.receipt``), ours the module that
apps import. Neither may overwrite the other's files, so ours is found by a finder that a ``.pth`` file
installs at start; its ``__path__`` goes on into theirs. Kept tiny: every interpreter start reads it.

pytest rewrites the modules of a package that brings a plugin, and warns of those that are imported
already, as this one always is; PYTEST_DONT_REWRITE tells it that there is nothing to rewrite.
"""

import sys


class Finder:
    """Finds ``ccf``; whatever else is asked for is somebody else's."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """A spec of the package, made of the files of ``affiant/ccf``."""
        if name != "ccf" or path is not None:
            return None
        import os
        from importlib.util import spec_from_file_location

        own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "affiant", "ccf")
        places = [own]
        for entry in sys.path:
            theirs = os.path.join(entry, "ccf")
            if theirs != own and os.path.isfile(os.path.join(theirs, "__init__.py")):
                places.append(theirs)
                break
        return spec_from_file_location(
            name, os.path.join(own, "__init__.py"), submodule_search_locations=places
        )


if not any(finder is Finder for finder in sys.meta_path):
    sys.meta_path.insert(0, Finder)
