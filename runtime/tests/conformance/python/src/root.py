"""A module at the top."""

root = "root"
