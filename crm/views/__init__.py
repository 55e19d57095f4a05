"""Pages of the crm app, and the customers' own portal."""
