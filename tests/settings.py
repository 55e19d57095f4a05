"""Settings for tests: fast hashing, mail in memory, no log noise; the database as given."""

import os
import tempfile

os.environ.setdefault("KEEPWELL_DATA_DIR", tempfile.mkdtemp(prefix="keepwell-tests-"))
os.environ.setdefault("SECRET_KEY", "tests-only-" + "x" * 40)
os.environ["EMAIL_URL"] = "memorymail://"

from config.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
