"""The whole system on one machine, without anything installed beside it; see ``manage.py up``."""
