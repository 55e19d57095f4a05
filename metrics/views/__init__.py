"""Pages of the metrics app; they read what the last recompute found."""
