"""The fact store: what happened, in columns, beside the database it was read from."""
