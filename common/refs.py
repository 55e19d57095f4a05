"""Public ids: short, unguessable, easy to read aloud."""

import secrets

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no 0/o, 1/l/i
REF_LENGTH = 12  # 31**12 ≈ 2**59


def new_ref() -> str:
    """Return a new random ref of :data:`REF_LENGTH` characters."""
    return "".join(secrets.choice(ALPHABET) for _ in range(REF_LENGTH))
