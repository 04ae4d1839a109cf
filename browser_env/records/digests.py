"""Stable hashes for ids, splits and seeds: equal in every process, on every machine and in every version.

Their digits must never change, because ids of questions and episodes, the splits of question sets and the seeds of samples
depend on them.
"""

import hashlib


def stable_hash(*parts: object) -> str:
    """SHA-256 of the parts, converted to text and joined by NUL, as 64 hexadecimal digits."""
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()


def short_hash(*parts: object) -> str:
    """The first 16 hexadecimal digits of `stable_hash`, for ids and file names."""
    return stable_hash(*parts)[:16]


def hash_number(*parts: object) -> int:
    """The first 64 bits of `stable_hash` as a number from 0 to 2**64 - 1."""
    return int(short_hash(*parts), 16)


def hash_fraction(*parts: object) -> float:
    """`hash_number` scaled to the range from 0 to 1."""
    return hash_number(*parts) / 2**64
