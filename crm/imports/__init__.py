"""Data that come in as files: streamed, checked, set-based, repeatable."""
