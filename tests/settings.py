"""Settings for tests: fast hashing, mail in memory, no log noise; the database as given."""

import atexit
import os
import shutil
import tempfile

if "KEEPWELL_DATA_DIR" not in os.environ:
    os.environ["KEEPWELL_DATA_DIR"] = tempfile.mkdtemp(prefix="keepwell-tests-")
    atexit.register(shutil.rmtree, os.environ["KEEPWELL_DATA_DIR"], ignore_errors=True)
os.environ.setdefault("SECRET_KEY", "tests-only-" + "x" * 40)
os.environ["EMAIL_URL"] = "memorymail://"

from config.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CACHES = {
    name: {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name}
    for name in ("default", "memory")
}
REQUIRE_STAFF_TOTP = False  # its own tests turn it on
SIGN_IN_MAIL_IN_BACKGROUND = False
WHITENOISE_AUTOREFRESH = True  # else every test client would list all static files first
if DATABASES["default"]["ENGINE"] == "config.sqlite":  # noqa: F405
    # Said aloud, because pytest-django doesn't know the engine for SQLite's.
    DATABASES["default"].setdefault("TEST", {})["NAME"] = ":memory:"  # noqa: F405
