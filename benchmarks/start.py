"""How soon ``up`` serves its first page: on an empty data folder, and again on the same one.

Usage: ``KEEPWELL_DATA_DIR=$(mktemp -d) python benchmarks/start.py [OPTIONS OF up]``. The second
start may take 15 s (`MOST`).
"""

import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST = 15.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def first_page(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/accounts/login/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def start(arguments: list[str]) -> float:
    port = free_port()
    begun = time.perf_counter()
    running = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--port", str(port), *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        while not first_page(port):
            if running.poll() is not None:
                sys.exit("up ended")
            time.sleep(0.05)
        return time.perf_counter() - begun
    finally:
        time.sleep(3)  # let the worker start too, so that stopping is the usual one
        running.send_signal(signal.SIGINT)
        running.wait(30)


def main(arguments: list[str]) -> int:
    if "KEEPWELL_DATA_DIR" not in os.environ:
        sys.exit("Set KEEPWELL_DATA_DIR to a folder that may be filled.")
    first, second = start(arguments), start(arguments)
    print(f"first start: first page after {first:.1f} s; second start: {second:.1f} s")
    return 0 if second <= MOST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
