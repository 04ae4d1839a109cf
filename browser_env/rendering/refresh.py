"""Redirects with ``<meta http-equiv=refresh>``."""

import re

from browser_env.rendering.decoding import decode
from browser_env.rendering.links import absolute, is_http
from browser_env.rendering.tree import parse

MAX_SECONDS = 5
"""Longest delay, in seconds, of a refresh that is followed; a page with a longer one is meant to be read."""
READ_BYTES = 65_536
"""Bytes at the start of a page that are searched for a refresh."""

_CONTENT = re.compile(r"\s*(\d+)(?:\.\d*)?\s*[;,\s]\s*(?:url\s*=\s*)?(.+)", re.IGNORECASE | re.DOTALL)


def refresh_target(body: bytes, content_type: str | None, url: str) -> str | None:
    """URL of the first refresh within `MAX_SECONDS`.

    Args:
        body: HTML.
        content_type: The Content-Type header.
        url: URL of the page.

    Returns:
        The absolute URL; None without a refresh, or if it leads to the same page, from https to http, or to a URL
        that is not http(s).
    """
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
