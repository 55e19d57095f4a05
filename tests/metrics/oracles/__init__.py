"""Figures counted by plain Python: slow loops over rows, with the definitions in hand.

They know nothing of arrays, ibis or DuckDB, and share no code with what they check.
"""
