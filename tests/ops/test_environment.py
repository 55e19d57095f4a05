"""The environment is typed; what can't be used stops the start with one clear line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment, read_environment
from tests.running import ROOT


def read(tmp_path: Path, **values: str) -> Environment:
    return read_environment({"KEEPWELL_DATA_DIR": str(tmp_path)} | values)


def test_the_defaults_are_safe(tmp_path: Path) -> None:
    environment = read(tmp_path)
    assert environment.debug is False
    assert environment.require_totp is True
    assert environment.database["NAME"] == str(tmp_path / "keepwell.sqlite3")
    assert environment.database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert environment.base_url == "http://127.0.0.1:8000"
    assert (environment.timezone, environment.currency) == ("UTC", "USD")


def test_the_secret_key_is_made_once_and_kept_for_its_owner(tmp_path: Path) -> None:
    first = read(tmp_path).secret_key
    assert len(first) >= 50
    assert read(tmp_path).secret_key == first
    assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600
    assert read(tmp_path / "other").secret_key != first


def test_the_data_folder_is_made_also_when_the_key_is_given(tmp_path: Path) -> None:
    read(tmp_path / "new", SECRET_KEY="k" * 40)
    assert (tmp_path / "new").is_dir()


def test_mail_files_lie_where_the_address_says(tmp_path: Path) -> None:
    assert (
        read(tmp_path, EMAIL_URL="filemail:///var/mails").email["EMAIL_FILE_PATH"] == "/var/mails"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:p@h/d"),
        ("DATABASE_URL", "nonsense"),
        ("REDIS_URL", "http://x"),
        ("SECRET_KEY", "short"),
        ("EMAIL_URL", "pigeon://x"),
        ("BASE_URL", "keepwell.example"),
        ("BASE_URL", "https://keepwell.example/path"),
        ("KEEPWELL_TIMEZONE", "Mars/Phobos"),
        ("KEEPWELL_CURRENCY", "dollar"),
        ("DEBUG", "perhaps"),
        ("KEEPWELL_PROXIES", "many"),
        ("KEEPWELL_IMPORT_MAX_ROWS", "-1"),
    ],
)
def test_a_wrong_value_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        read(tmp_path, **{name: value})


def test_a_refusal_does_not_show_the_password(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        read(tmp_path, DATABASE_URL="mysql://kim:" + "geheim@host/name")
    assert "geheim" not in str(refusal.value)


def test_a_command_ends_with_one_line_and_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        cwd=ROOT,
        env=os.environ | {"KEEPWELL_DATA_DIR": str(tmp_path), "KEEPWELL_CURRENCY": "euro"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "Keepwell can't start: KEEPWELL_CURRENCY='euro' is no ISO 4217 code such as EUR."
    )
