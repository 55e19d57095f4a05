"""Short, unambiguous dates and grouped numbers, per language."""
