"""A module below the app."""


def fail_there():
    raise ValueError("on purpose")
