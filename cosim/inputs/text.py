"""Text of a file in UTF-8, or the name of what it is in instead."""

from __future__ import annotations

import codecs
import unicodedata
from pathlib import Path

from cosim.errors import UserError

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
"""Byte-order marks, the longer ones first: that of UTF-16 begins that of UTF-32."""

_FORMATS = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89HDF", "an HDF5 file"),
)
"""First bytes of what is often given in place of text."""


def decoded(data: bytes, file: Path, error: type[UserError]) -> str:
    """Return text that is UTF-8, with or without a byte-order mark.

    Parameters
    ----------
    data : bytes
        The file's content.
    file : Path
        Named in errors.
    error : type of UserError
        Raised, if it is no such text.

    Returns
    -------
    str
        Without the mark.
    """
    for start, kind in _FORMATS:
        if data.startswith(start):
            raise error(f"is {kind}, not text", file=file, remedy="export it as text in UTF-8")
    for mark, name in _MARKS:
        if data.startswith(mark):
            raise _other(f"is {name} text (byte-order mark {mark.hex(' ')})", file, error)
    if b"\0" in data[:4096]:
        zeros = [data[k:4096:2].count(0) for k in (0, 1)]
        wide = max(zeros) > len(data[:4096]) // 4
        raise _other(
            "is UTF-16 text without a byte-order mark"
            if wide
            else "is binary: it holds zero bytes",
            file,
            error,
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        byte = data[problem.start : problem.start + 1]
        guess = byte.decode("cp1252", errors="replace")
        read = f", {guess!r} in Latin-1 and Windows-1252" if guess.isprintable() else ""
        raise _other(
            f"is not UTF-8 text: line {line} holds the byte 0x{byte.hex()}{read}", file, error
        ) from problem


def unprintable(text: str, allowed: str = "") -> str:
    """Return what a text holds that no page, table or terminal shows as it is; "" if nothing.

    Parameters
    ----------
    text : str
    allowed : str
        Control characters that pass, such as line breaks.

    Returns
    -------
    str
        Kind and code point of the first control character, line or paragraph separator, or half of
        a surrogate pair (which is no character, and cannot be written in UTF-8).
    """
    for character in text:
        kind = _UNPRINTABLE.get(unicodedata.category(character))
        if kind and character not in allowed:
            return f"{kind} U+{ord(character):04X}"
    return ""


_UNPRINTABLE = {
    "Cc": "the control character",
    "Cs": "the lone surrogate",
    "Zl": "the line separator",
    "Zp": "the paragraph separator",
}
"""By category of Unicode."""


def _other(problem: str, file: Path, error: type[UserError]) -> UserError:
    return error(
        problem,
        file=file,
        remedy="save it as UTF-8, e.g. 'CSV UTF-8' in a spreadsheet, encoding='utf-8' in Python, "
        "or iconv -t UTF-8",
    )
