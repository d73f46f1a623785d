"""A module that imports upwards."""

from root import root

from ..sibling import name

named = f"{root} {name} leaf"
