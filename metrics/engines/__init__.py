"""Two ways to work out the same figures: the definitions themselves, and kernels for hot ones."""
