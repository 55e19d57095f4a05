"""Importing small files."""

from tests.crm.imports.conftest import _own_data_folder, csv_file, imported

__all__ = ["_own_data_folder", "csv_file", "imported"]
