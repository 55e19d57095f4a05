"""Settings for tests: fast hashing, mail in memory, no log noise; the database as given."""

import os
import tempfile

os.environ.setdefault("KEEPWELL_DATA_DIR", tempfile.mkdtemp(prefix="keepwell-tests-"))
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
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405
