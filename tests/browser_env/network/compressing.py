"""Compressors of response bodies, which their libraries leave untyped or name by Python version."""

import sys

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def compress_zstd(data: bytes, level: int = 3) -> bytes:
    return zstd.compress(data, level)


def compress_brotli(data: bytes, quality: int = 11) -> bytes:
    return bytes(brotli.compress(data, quality=quality))


def compress_zstd_with_window(data: bytes, window_log: int) -> bytes:
    """Compress with a window of ``2 ** window_log`` bytes and without a checksum."""
    options = {zstd.CompressionParameter.window_log: window_log, zstd.CompressionParameter.checksum_flag: 0}
    compressor = zstd.ZstdCompressor(options={int(key): value for key, value in options.items()})
    return compressor.compress(data) + compressor.flush()
