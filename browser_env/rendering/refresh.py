"""``<meta http-equiv=refresh>``: where a page sends its visitors by itself."""

import re

from browser_env.rendering.decoding import decode
from browser_env.rendering.links import absolute, is_http
from browser_env.rendering.tree import parse

MAX_SECONDS = 5
"""A page that waits for longer wants to be read first."""
READ_BYTES = 65_536
"""How far into a page it is looked for."""

_CONTENT = re.compile(r"\s*(\d+)(?:\.\d*)?\s*[;,\s]\s*(?:url\s*=\s*)?(.+)", re.IGNORECASE | re.DOTALL)


def refresh_target(body: bytes, content_type: str | None, url: str) -> str | None:
    """The address that some HTML leads to within `MAX_SECONDS`; None if it stays, or leads to itself or away from the web."""
    head = body[:READ_BYTES]
    if b"refresh" not in head.lower():
        return None
    tree = parse(decode(head, content_type).text)
    base = next((element.attributes["href"] for element in tree.by_tag.get("base", []) if "href" in element.attributes), "")
    for meta in tree.by_tag.get("meta", []):
        if meta.attributes.get("http-equiv", "").strip().lower() != "refresh":
            continue
        match = _CONTENT.fullmatch(meta.attributes.get("content", ""))
        if match is None or int(match[1][:9]) > MAX_SECONDS:
            continue
        target = absolute(absolute(url, base) or url, match[2].strip().strip("'\""))
        is_downgrade = url.startswith("https:") and target is not None and not target.startswith("https:")
        if target is not None and is_http(target) and not is_downgrade and target.partition("#")[0] != url.partition("#")[0]:
            return target
    return None
