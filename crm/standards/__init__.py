"""What a service standard is, apart from its tables: its document, its triggers, ready ones."""
