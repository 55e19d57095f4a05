"""Demo data: real purchases with invented people, or synthetic ones of any size."""
