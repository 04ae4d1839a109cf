import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_env.network.compression import PIECE, decompress
from tests.browser_env.network.compressing import compress_brotli, compress_zstd, compress_zstd_with_window


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip in capitals": ("X-GZip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without a header": ("deflate", raw_deflate),
    "brotli": ("br", compress_brotli),
    "zstd": ("zstd", compress_zstd),
    "two": ("gzip, br", lambda data: compress_brotli(gzip.compress(data))),
    "three": ("deflate,identity, gzip ,zstd", lambda data: compress_zstd(gzip.compress(zlib.compress(data)))),
    "none": ("", bytes),
    "identity": ("identity", bytes),
}


@pytest.mark.parametrize("name", ENCODERS)
@given(data=st.binary(max_size=2_000), times=st.sampled_from([1, 200]), size=st.integers(1, 3_000))
def test_decompressing_undoes_compressing(name: str, data: bytes, times: int, size: int) -> None:
    encoding, compress = ENCODERS[name]
    body = compress(data * times)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    pieces = list(decompress(chunks, encoding))
    assert b"".join(pieces) == data * times
    if encoding not in ("", "identity"):
        assert max(map(len, pieces), default=0) <= 2 * PIECE


@pytest.mark.parametrize("name", ["gzip", "deflate", "deflate without a header", "brotli", "zstd"])
def test_body_that_ends_early_is_an_error(name: str) -> None:
    encoding, compress = ENCODERS[name]
    body = compress(bytes(range(256)) * 40)
    with pytest.raises(ValueError, match="ends early"):
        list(decompress([body[:-9]], encoding))
    assert list(decompress([], encoding)) == []
    assert b"".join(decompress([b""], encoding)) == b""


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@given(data=st.binary(min_size=1, max_size=200))
def test_arbitrary_bytes_raise_nothing_but_value_errors(encoding: str, data: bytes) -> None:
    try:
        list(decompress([data], encoding))
    except ValueError:
        return


@pytest.mark.parametrize("encode", [gzip.compress, compress_zstd])
def test_consecutive_members_are_joined(encode: Callable[[bytes], bytes]) -> None:
    encoding = "gzip" if encode is gzip.compress else "zstd"
    assert b"".join(decompress([encode(b"one ") + encode(b"two")], encoding)) == b"one two"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("compress", "unknown encoding 'compress'"), ("gzip, " * 4, "4 encodings"), ("sdch,gzip", "unknown encoding 'sdch'")],
)
def test_unsupported_encoding_is_an_error(encoding: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        list(decompress([gzip.compress(b"")], encoding))


def test_large_window_of_zstd_is_refused() -> None:
    body = compress_zstd_with_window(bytes(1_000), window_log=27)
    with pytest.raises(ValueError, match=r"memory|window"):
        list(decompress([body], "zstd"))


def test_bytes_after_a_brotli_body_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"follows|failed"):
        list(decompress([compress_brotli(b"x"), b"more"], "br"))
