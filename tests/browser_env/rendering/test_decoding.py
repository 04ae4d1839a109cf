"""Priority of encodings, and undecodable bytes."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_env.rendering.decoding import CODECS, Decoded, decode

CJK = "<title>国际</title>" + "中文网页" * 50


@pytest.mark.parametrize(
    ("name", "body", "content_type", "expected"),
    [
        ("UTF-8 BOM", b"\xef\xbb\xbf\xc3\xa9", "text/html; charset=iso-8859-1", Decoded("é", "utf-8", "bom", 0)),
        ("UTF-16 BOM", codecs.BOM_UTF16_LE + "é".encode("utf-16-le"), None, Decoded("é", "utf-16-le", "bom", 0)),
        ("UTF-16 big-endian BOM", codecs.BOM_UTF16_BE + "é".encode("utf-16-be"), None, Decoded("é", "utf-16-be", "bom", 0)),
        ("HTTP over meta", b"<meta charset=utf-8>\xe9", "text/html;charset=ISO-8859-1", Decoded("<meta charset=utf-8>é", "cp1252", "http", 0)),
        ("quoted charset", "й".encode("koi8-r"), 'text/html; charset="KOI8-R"', Decoded("й", "koi8-r", "http", 0)),
        ("meta charset", b"<meta charset='windows-1251'>\xe9", "text/html", Decoded("<meta charset='windows-1251'>й", "cp1251", "meta", 0)),
        ("meta http-equiv", b"<META content='text/html; charset=euc-jp' http-equiv=x>\xa4\xa2", None, Decoded("<META content='text/html; charset=euc-jp' http-equiv=x>あ", "euc-jp", "meta", 0)),
        ("XML declaration", b"<?xml version='1.0' encoding='iso-8859-15'?>\xa4", None, Decoded("<?xml version='1.0' encoding='iso-8859-15'?>€", "iso8859-15", "meta", 0)),
        ("meta that says UTF-16 cannot be", b"<meta charset=utf-16>a", None, Decoded("<meta charset=utf-16>a", "utf-8", "meta", 0)),
        ("meta in a comment", b"<!-- <meta charset=koi8-r> -->\xc3\xa9", None, Decoded("<!-- <meta charset=koi8-r> -->é", "utf-8", "utf-8", 0)),
        ("meta beyond 1024 bytes", b" " * 1024 + b"<meta charset=koi8-r>\xc3\xa9", None, Decoded(" " * 1024 + "<meta charset=koi8-r>é", "utf-8", "utf-8", 0)),
        ("valid UTF-8", b"\xc3\xa9", None, Decoded("é", "utf-8", "utf-8", 0)),
        ("anything else", b"caf\xe9 \x93x\x94", None, Decoded("café “x”", "cp1252", "default", 0)),
        ("smart quotes in iso-8859-1", b"\x93x\x94", "text/html; charset=iso-8859-1", Decoded("“x”", "cp1252", "http", 0)),
        ("euro in iso-8859-9", b"\x80\xfe", "text/html; charset=iso-8859-9", Decoded("€ş", "cp1254", "http", 0)),
        ("Thai", b"\xa1\x85", "text/html; charset=TIS-620", Decoded("ก…", "cp874", "http", 0)),
        ("an unknown label", b"\xc3\xa9", "text/html; charset=nonsense", Decoded("é", "utf-8", "utf-8", 0)),
        ("a label of something else", b"\xc3\xa9", "text/html; charset=base64", Decoded("é", "utf-8", "utf-8", 0)),
        ("GBK labeled gb2312", "镕".encode("gbk"), "text/html; charset=gb2312", Decoded("镕", "gb18030", "http", 0)),
        ("CP932 labeled shift_jis", "①髙".encode("cp932"), "text/html; charset=Shift_JIS", Decoded("①髙", "cp932", "http", 0)),
        ("CP949 labeled euc-kr", "똠".encode("cp949"), "text/html; charset=euc-kr", Decoded("똠", "cp949", "http", 0)),
        ("UTF-8 labeled ascii", "é".encode(), "text/html; charset=us-ascii", Decoded("Ã©", "cp1252", "http", 0)),
        ("UTF-8 labeled shift_jis", CJK.encode(), "text/html; charset=shift_jis", Decoded(CJK, "utf-8", "utf-8", 0)),
        ("a few wrong bytes", b"a" * 200 + b"\xff", "text/html; charset=utf-8", Decoded("a" * 200 + "\ufffd", "utf-8", "http", 1)),
        ("many wrong bytes", b"a\xe9" * 20, "text/html; charset=utf-8", Decoded("aé" * 20, "cp1252", "default", 0)),
        ("the least wrong of all", b"\x81\x81\xff", None, Decoded("\ufffd\ufffdÿ", "cp1252", "default", 2)),
        ("nothing", b"", None, Decoded("", "utf-8", "utf-8", 0)),
    ],
    ids=lambda value: value if isinstance(value, str) and not value.startswith("text/") else "",
)  # fmt: skip
def test_decode(name: str, body: bytes, content_type: str | None, expected: Decoded) -> None:
    assert decode(body, content_type) == expected


def test_every_label_has_a_codec() -> None:
    assert all(codecs.lookup(codec) for codec in CODECS.values())


@given(st.binary(), st.none() | st.text() | st.sampled_from(sorted(CODECS)).map("text/html; charset={}".format))
def test_any_bytes_are_decoded(body: bytes, content_type: str | None) -> None:
    decoded = decode(body, content_type)
    assert decoded.replaced <= decoded.text.count("\ufffd")


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: not text.startswith("\ufeff")))
def test_utf_8_without_a_declaration_is_recognized(text: str) -> None:
    if "charset" not in text and "encoding" not in text:
        assert decode(text.encode(), None).text == text
