"""Two writers at once: the second is refused like any latecomer, not answered with a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction


@contextmanager
def refusing_doubles(refuse_taken: Callable[[], None]) -> Iterator[None]:
    """Insert within; when a unique key was taken meanwhile, ``refuse_taken`` says so.

    refuse_taken: raises the refusal if the key is taken, else returns and the error goes on.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        refuse_taken()
        raise
