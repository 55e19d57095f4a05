"""For container health checks: exit 0 when the web server here answers, else 1. No Django."""

import os
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

host = urlsplit(os.environ.get("BASE_URL", "")).netloc or "localhost"
connection = HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=2)
try:
    connection.request("GET", "/healthz/live", headers={"Host": host})
    sys.exit(0 if connection.getresponse().status == 200 else 1)
except OSError:
    sys.exit(1)
