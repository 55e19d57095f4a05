"""Reads of the metrics app; nothing here loads a heavy library."""
