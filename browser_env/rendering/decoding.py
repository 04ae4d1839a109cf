"""Decoding of documents as browsers do it, before parsing.

Parsers that decode a document themselves lose the whole page over one character that is not in the declared encoding: pages
that declare gb2312 or shift_jis often contain gb18030 or cp932.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Source = Literal["bom", "http", "meta", "utf-8", "default"]
"""Origin of the encoding: byte order mark, Content-Type header, declaration in the document, valid UTF-8, or the default."""

MAX_REPLACED = 0.01
"""Share of undecodable characters above which the next encoding is tried."""
META_BYTES = 1024
"""Bytes at the start of a document that are searched for an encoding declaration."""

_LABELS = """
utf-8: utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8
utf-16-le: utf-16 utf-16le ucs-2 unicode iso-10646-ucs-2 csunicode unicodefeff
utf-16-be: utf-16be unicodefffe
cp1252: windows-1252 cp1252 x-cp1252 iso-8859-1 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 iso-ir-100 latin1 latin-1 l1 ascii
    us-ascii ansi_x3.4-1968 cp819 ibm819 csisolatin1 x-user-defined
cp1250: windows-1250 cp1250 x-cp1250
cp1251: windows-1251 cp1251 x-cp1251
cp1253: windows-1253 cp1253 x-cp1253
cp1254: windows-1254 cp1254 x-cp1254 iso-8859-9 iso8859-9 iso88599 iso_8859-9 iso-ir-148 latin5 l5 csisolatin5
cp1255: windows-1255 cp1255 x-cp1255
cp1256: windows-1256 cp1256 x-cp1256
cp1257: windows-1257 cp1257 x-cp1257
cp1258: windows-1258 cp1258 x-cp1258
cp874: windows-874 dos-874 tis-620 iso-8859-11 iso8859-11 iso885911
cp866: ibm866 cp866 866 csibm866
iso8859-2: iso-8859-2 iso8859-2 iso88592 iso_8859-2 iso-ir-101 latin2 l2 csisolatin2
iso8859-3: iso-8859-3 iso8859-3 iso88593 iso_8859-3 iso-ir-109 latin3 l3 csisolatin3
iso8859-4: iso-8859-4 iso8859-4 iso88594 iso_8859-4 iso-ir-110 latin4 l4 csisolatin4
iso8859-5: iso-8859-5 iso8859-5 iso88595 iso_8859-5 iso-ir-144 cyrillic csisolatincyrillic
iso8859-6: iso-8859-6 iso8859-6 iso88596 iso_8859-6 iso-ir-127 arabic ecma-114 asmo-708 csisolatinarabic
    iso-8859-6-e iso-8859-6-i
iso8859-7: iso-8859-7 iso8859-7 iso88597 iso_8859-7 iso-ir-126 greek greek8 ecma-118 elot_928 sun_eu_greek csisolatingreek
iso8859-8: iso-8859-8 iso8859-8 iso88598 iso_8859-8 iso-ir-138 hebrew visual csisolatinhebrew iso-8859-8-e iso-8859-8-i logical
iso8859-10: iso-8859-10 iso8859-10 iso885910 iso-ir-157 latin6 l6 csisolatin6
iso8859-13: iso-8859-13 iso8859-13 iso885913
iso8859-14: iso-8859-14 iso8859-14 iso885914
iso8859-15: iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9 csisolatin9
iso8859-16: iso-8859-16
koi8-r: koi8-r koi8 koi koi8_r cskoi8r
koi8-u: koi8-u koi8-ru
mac-roman: macintosh mac x-mac-roman csmacintosh
mac-cyrillic: x-mac-cyrillic x-mac-ukrainian
gb18030: gb18030 gbk gb2312 gb_2312 gb_2312-80 x-gbk chinese csgb2312 csiso58gb231280 iso-ir-58
big5hkscs: big5 big5-hkscs cn-big5 x-x-big5 csbig5
euc-jp: euc-jp x-euc-jp cseucpkdfmtjapanese
iso2022-jp: iso-2022-jp csiso2022jp
cp932: shift_jis shift-jis sjis x-sjis ms_kanji ms932 windows-31j csshiftjis
cp949: euc-kr ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 korean windows-949 cseuckr csksc56011987 iso-ir-149
"""
# Each line is Python's codec and the labels for which browsers use it (https://encoding.spec.whatwg.org/#names-and-labels).

CODECS = {
    label: codec.strip()
    for codec, labels in (line.split(":", 1) for line in _LABELS.replace("\n    ", " ").strip().split("\n"))
    for label in labels.split()
}
"""Python's codec of each label."""
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_HTTP_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([^\s"';,]+)""", re.IGNORECASE)
_META_CHARSET = re.compile(rb"""<meta\s[^>]*?charset\s*=\s*["']?\s*([^\s"'/>;]+)""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""\A\s*<\?xml\s[^>]*?encoding\s*=\s*["']([^"']+)["']""", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Decoded text, its encoding, and the number of errors."""

    text: str
    encoding: str
    """Name of Python's codec."""
    source: Source
    replaced: int
    """Number of U+FFFD characters that replace undecodable bytes."""


def decode(body: bytes, content_type: str | None) -> Decoded:
    """Decode any bytes with the first encoding that fits, or else the one with the smallest share of errors; never raises."""
    best: Decoded | None = None
    for encoding, source in _candidates(body, content_type):
        decoded = _decode(body, encoding, source)
        if decoded.replaced <= MAX_REPLACED * len(decoded.text):
            return decoded
        if best is None or decoded.replaced * len(best.text) < best.replaced * len(decoded.text):
            best = decoded
    assert best is not None
    return best


def http_encoding(content_type: str | None) -> str | None:
    """Codec of the charset in a Content-Type header; None without a known charset."""
    match = _HTTP_CHARSET.search(content_type or "")
    return match and CODECS.get(match[1].lower())


def _candidates(body: bytes, content_type: str | None) -> Iterator[tuple[str, Source]]:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            yield encoding, "bom"
    if encoding_or_none := http_encoding(content_type):
        yield encoding_or_none, "http"
    if encoding_or_none := _declared_encoding(body[:META_BYTES]):
        yield encoding_or_none, "meta"
    yield "utf-8", "utf-8"
    yield "cp1252", "default"


def _declared_encoding(head: bytes) -> str | None:
    head = _COMMENT.sub(b"", head)
    match = _META_CHARSET.search(head) or _XML_ENCODING.search(head)
    encoding = match and CODECS.get(match[1].decode("ascii", "replace").lower())
    return "utf-8" if encoding in ("utf-16-le", "utf-16-be") else encoding  # it was read as ASCII, so it is not UTF-16


def _decode(body: bytes, encoding: str, source: Source) -> Decoded:
    try:
        return Decoded(body.decode(encoding).removeprefix("\ufeff"), encoding, source, 0)
    except UnicodeDecodeError:
        text = body.decode(encoding, "replace").removeprefix("\ufeff")
        return Decoded(text, encoding, source, text.count("\ufffd"))
