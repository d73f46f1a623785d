"""A module beside a package."""

name = "sibling"
