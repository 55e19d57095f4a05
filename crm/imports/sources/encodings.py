"""Which letters the bytes of a text file mean."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer
from django.utils.translation import gettext as _

from crm.imports.sources.base import UnreadableFile

BLOCK = 1 << 20
SAMPLE = 48_000  # bytes of lines with other than ASCII letters
LONGEST_PIECE = 65_536  # of a line, where lines are looked at one by one
MARKS = [
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
UNLIKELY = re.compile("[\x00-\x08\x0e-\x1f\ufffe\uffff\ud800-\udfff\ue000-\uf8ff]")
# Where letters outside of ASCII stand alone among others, the alphabet is Latin; where whole words
# are made of them, it is another one.
OTHER_ALPHABETS = [
    "cp1251",
    "gb18030",
    "koi8_r",
    "cp866",
    "big5",
    "cp932",
    "cp949",
    "cp1253",
]
FALLBACK = "cp1252"
# What a word in Cyrillic letters looks like in Windows-1251, and a common Chinese character in GB.
CYRILLIC_WORD = re.compile(rb"[\xc0-\xdf\xa8]?[\xe0-\xff\xb8]+|[\xc0-\xdf\xa8]+")
CHINESE = re.compile(rb"([\xb0-\xd7][\xa1-\xfe])+")
WORDS = re.compile(rb"(?<![A-Za-z\x80-\xff])[\x80-\xff]{2,}(?![A-Za-z\x80-\xff])")
CLEAR = 0.8  # share of the words from which on an alphabet is sure
MANY_VALID = 0.2  # share of lines in UTF-8 from which on a broken file is a mixture

OLD_OR_LOCKED_WORKBOOK = bytes.fromhex("d0cf11e0a1b11ae1")  # a workbook with a password is in one
OTHER_FORMATS = (
    b"\x89PNG",
    b"\xff\xd8\xff",  # JPEG
    b"GIF8",
    b"%PDF",
    b"\x1f\x8b",  # gzip
    b"7z\xbc\xaf",
    b"Rar!",
    b"{\\rtf",
    b"SQLite format 3\0",
)


def find_encoding(path: Path) -> str:
    """Return the codec of a text file.

    A mark at its beginning decides; else UTF-8 if the *whole* file is; else what the lines with
    letters outside of ASCII look like, Windows-1252 in doubt. Reads the file once, in blocks.

    :raises UnreadableFile: it is something else than text, or part of it is UTF-8 and part is not,
        so that no reading would be right.
    """
    with path.open("rb") as file:
        start = file.read(BLOCK)
    if start.startswith(OLD_OR_LOCKED_WORKBOOK):
        raise UnreadableFile(
            _(
                "This is an Excel file of the old kind (XLS), or one with a password. "
                "Save it as XLSX without a password, or as CSV."
            )
        )
    if start.startswith(OTHER_FORMATS):
        raise UnreadableFile(_("This is no table. Save it as CSV or as XLSX, and upload that."))
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    if name := _wide(start[:8_192]):
        return name
    if _is_utf8(path):
        return "utf-8"
    return _guess(_look_at_lines(path))


def _wide(start: bytes) -> str:
    """Return UTF-16 without a mark: every second byte of commas, digits and line ends is zero."""
    start = start[: len(start) // 2 * 2]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if even + odd < 2 or (even and odd):
        return ""
    name = "utf-16-be" if even else "utf-16-le"
    try:
        text = start.decode(name)
    except UnicodeDecodeError:
        return ""
    looks_right = re.search(r"[\r\n]", text) and re.search(r"[\w,;\t|]", text)
    return name if looks_right and not UNLIKELY.search(text) else ""


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while block := file.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


@dataclass(slots=True)
class _Lines:
    """The lines that hold more than ASCII."""

    valid: int = 0  # in UTF-8
    broken: int = 0
    first_broken: int = 0  # its number, from 1
    sample: bytes = b""


def _look_at_lines(path: Path) -> _Lines:
    found = _Lines()
    number = 1
    with path.open("rb") as file:
        while piece := file.readline(LONGEST_PIECE):
            if not piece.isascii():
                try:
                    piece.decode()
                    found.valid += 1
                except UnicodeDecodeError:
                    found.broken += 1
                    found.first_broken = found.first_broken or number
                if len(found.sample) < SAMPLE:
                    found.sample += piece
            number += piece.endswith(b"\n")
    return found


def _guess(lines: _Lines) -> str:
    if lines.valid > MANY_VALID * (lines.valid + lines.broken):
        raise UnreadableFile(
            _(
                "Some lines of the file are UTF-8 and others are not: see near line %(line)s. "
                "Save it again as UTF-8, or say which encoding it has."
            )
            % {"line": lines.first_broken}
        )
    sample = lines.sample
    words = WORDS.findall(sample)
    if words and len(b"".join(words)) * 2 >= sum(byte > 127 for byte in sample):
        # Too few letters for statistics tell enough to somebody who knows what to expect.
        for name, pattern in (("cp1251", CYRILLIC_WORD), ("gb18030", CHINESE)):
            if sum(bool(pattern.fullmatch(word)) for word in words) >= CLEAR * len(words):
                return name
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", sample)]
    if sum(length for length in runs if length >= 3) * 2 < sum(runs):
        return FALLBACK
    best = charset_normalizer.from_bytes(sample, cp_isolation=OTHER_ALPHABETS).best()
    return best.encoding if best else FALLBACK


def encoding_refusal(path: Path, encoding: str) -> UnreadableFile:
    """Return the refusal of a file whose bytes are not of its encoding; reads up to the first."""
    return UnreadableFile(
        _("The file is not text in %(encoding)s: see line %(line)s.")
        % {
            "encoding": encoding.removesuffix("-sig").removesuffix("_sig").upper(),
            "line": _first_broken_line(path, encoding),
        }
    )


def _first_broken_line(path: Path, encoding: str) -> int:
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    number = 1
    with path.open("rb") as file:
        try:
            while block := file.read(BLOCK):
                number += _line_ends(decoder.decode(block))
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            good = bytes(error.object[: error.start]).decode(error.encoding, "ignore")
            number += _line_ends(good)
        except UnicodeError:
            pass  # a mark that is missing: the first line
    return number


def _line_ends(text: str) -> int:
    return text.count("\n") or text.count("\r")
