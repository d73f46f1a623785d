"""A module whose import is not there."""

import absent


def f():
    return {"body": absent.nothing}
