"""Reads a SQLite file into Arrow, in a process of its own: ``python reader.py PATH``.

The driver has a copy of SQLite in it, and a process that has one file open through two copies loses
its locks on the file as soon as either closes it: somebody else would then take the log of changes
for left over, and throw it away with what it holds. (https://sqlite.org/howtocorrupt.html#posix)

Each line of the input is one SQL text as JSON. The answer is ``+`` and the rows as a stream of
Arrow, or ``-`` and one line of JSON that says what is wrong. All answers are of one moment. It ends
with its input.
"""

from __future__ import annotations

import json
import sys
from typing import IO
from urllib.parse import quote

import adbc_driver_sqlite.dbapi
import pyarrow as pa

ROWS_FOLLOW, ERROR_FOLLOWS = b"+", b"-"


def main(path: str, questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer questions until there are none."""
    driver = adbc_driver_sqlite.dbapi.connect(f"file:{quote(path)}?mode=ro")
    with driver, driver.cursor() as cursor:
        for line in questions:
            try:
                cursor.execute(json.loads(line))
                rows = cursor.fetch_record_batch()
            except adbc_driver_sqlite.dbapi.Error as error:
                answers.write(ERROR_FOLLOWS + json.dumps(str(error)).encode() + b"\n")
            else:
                answers.write(ROWS_FOLLOW)
                with pa.ipc.new_stream(answers, rows.schema) as stream:
                    for batch in rows:
                        stream.write_batch(batch)
            answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
