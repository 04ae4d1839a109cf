"""Decompression of bodies in small pieces, so that a caller can limit their size.

An ordinary decompressor can turn 10 kB into gigabytes at once. These functions yield pieces of limited size.
"""

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE: Final = 65_536
"""Maximum bytes of a piece."""
MAX_LAYERS: Final = 3
"""Maximum number of nested encodings."""
MAX_WINDOW_LOG: Final = 23
"""Base-2 logarithm of the largest zstd window, 8 MB (RFC 9659)."""


def decompress(chunks: Iterable[bytes], content_encoding: str) -> Iterator[bytes]:
    """Decompress a body, in pieces of about `PIECE` bytes at most.

    Args:
        chunks: The compressed body.
        content_encoding: The Content-Encoding header, whose last encoding was applied last.

    Raises:
        ValueError: An encoding is unknown, or the body does not match it, or ends early.
    """
    names = [name for part in content_encoding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if len(names) > MAX_LAYERS:
        raise ValueError(f"{len(names)} encodings on top of each other")
    pieces: Iterable[bytes] = chunks
    for name in reversed(names):
        if name not in _DECODERS:
            raise ValueError(f"the unknown encoding {name[:50]!r}")
        pieces = _DECODERS[name](pieces)
    yield from pieces


def _inflate(chunks: Iterable[bytes], window_bits: Callable[[bytes], int]) -> Iterator[bytes]:
    decoder = None
    for chunk in chunks:
        data = chunk
        while data:
            if decoder is None:
                decoder = zlib.decompressobj(window_bits(data))
            try:
                piece = decoder.decompress(data, PIECE)
                yield piece
                while not decoder.eof and (decoder.unconsumed_tail or len(piece) == PIECE):
                    piece = decoder.decompress(decoder.unconsumed_tail, PIECE)
                    yield piece
            except zlib.error as error:
                raise ValueError(str(error)) from error
            data = b""
            if decoder.eof:
                data, decoder = decoder.unused_data.lstrip(b"\0"), None  # another gzip member follows; zeros are padding
    if decoder is not None:
        raise ValueError("the compressed body ends early")


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return _inflate(chunks, lambda data: 31)


def _deflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Deflate with the zlib header of the standard, or without it, as some servers send it."""
    return _inflate(chunks, lambda data: 15 if data[0] & 0x0F == 8 else -15)


def _brotli(chunks: Iterable[bytes]) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    is_empty = True
    for chunk in chunks:
        if decoder.is_finished():
            raise ValueError("something follows the compressed body")
        is_empty = is_empty and not chunk
        try:
            yield decoder.process(chunk, output_buffer_limit=PIECE)
            while not decoder.can_accept_more_data():
                yield decoder.process(b"", output_buffer_limit=PIECE)
        except brotli.error as error:
            raise ValueError(str(error)) from error
    if not (decoder.is_finished() or is_empty):
        raise ValueError("the compressed body ends early")


def _zstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    options = {int(zstd.DecompressionParameter.window_log_max): MAX_WINDOW_LOG}
    decoder = None
    for chunk in chunks:
        data = chunk
        while data:
            decoder = decoder or zstd.ZstdDecompressor(options=options)
            try:
                yield decoder.decompress(data, PIECE)
                while not (decoder.eof or decoder.needs_input):
                    yield decoder.decompress(b"", PIECE)
            except zstd.ZstdError as error:
                raise ValueError(str(error)) from error
            data = b""
            if decoder.eof:
                data, decoder = decoder.unused_data, None  # another frame follows
    if decoder is not None:
        raise ValueError("the compressed body ends early")


_DECODERS: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
ACCEPT_ENCODING: Final = "gzip, deflate, br, zstd"
"""The Accept-Encoding header."""
