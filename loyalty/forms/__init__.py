"""Forms of the loyalty pages."""
