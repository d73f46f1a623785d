"""A package of the app."""
