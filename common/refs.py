"""Public ids: short, unguessable, easy to read aloud."""

import secrets

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no 0/o, 1/l/i
REF_LENGTH = 12  # 31**12 ≈ 2**59


def new_ref() -> str:
    """Return a new random ref of :data:`REF_LENGTH` characters."""
    return "".join(secrets.choice(ALPHABET) for _ in range(REF_LENGTH))


def looks_like_ref(text: object) -> bool:
    """Whether a text could be one of our refs; ids of other systems rarely do."""
    return isinstance(text, str) and len(text) == REF_LENGTH and not set(text) - _LETTERS


_LETTERS = frozenset(ALPHABET)
_DRAWN = bytes(ord(ALPHABET[byte % len(ALPHABET)]) for byte in range(256))
_UNEVEN = bytes(range(256 // len(ALPHABET) * len(ALPHABET), 256))  # would favour some letters


def new_refs(count: int) -> list[str]:
    """Return many new refs at once, for bulk work."""
    letters = ""
    while len(letters) < count * REF_LENGTH:
        letters += secrets.token_bytes(count * 14).translate(_DRAWN, _UNEVEN).decode()
    return [
        letters[start : start + REF_LENGTH] for start in range(0, count * REF_LENGTH, REF_LENGTH)
    ]
