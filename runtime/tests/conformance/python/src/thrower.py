"""A module that fails while it is imported."""

raise ValueError("while evaluated")
