"""Stable hashes: ids, splits and seeds derived from text, equal in every process, on every machine and in every version.

The digits must never change: ids of questions and episodes, the splits of question sets and the seeds of samples depend on
them.
"""

import hashlib


def stable_hash(*parts: object) -> str:
    """SHA-256 of the parts' texts joined by NUL, as 64 hexadecimal digits."""
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()


def short_hash(*parts: object) -> str:
    """The first 16 digits of `stable_hash`: an id or a file name."""
    return stable_hash(*parts)[:16]


def hash_number(*parts: object) -> int:
    """A number from 0 to 2**64 - 1, uniform over many parts."""
    return int(short_hash(*parts), 16)


def hash_fraction(*parts: object) -> float:
    """A number from 0 up to 1, uniform over many parts."""
    return hash_number(*parts) / 2**64
