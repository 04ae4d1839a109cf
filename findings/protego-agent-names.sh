#!/usr/bin/env bash
# protego 0.7.0 (robots.txt parser of Scrapy) picks the group of a crawler by a substring test, where RFC 9309, section 2.2.1, has
# crawlers compare their product token as a whole, without case:
#   1. `User-agent: open` applies to the crawler "open-webgpt", another product.
#   2. Given a whole User-Agent header, words of its comment select groups too: `User-agent: browser` applies.
#   3. A byte order mark before the first line hides the first group, though the RFC has UTF-8 files and says nothing of a mark;
#      Google's documentation has parsers ignore it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check protego==0.7.0
"$folder/venv/bin/python" - <<'PYTHON'
from protego import Protego


def allowed(robots: str, agent: str) -> bool:
    return Protego.parse(robots).can_fetch("https://example.org/page", agent)


everybody = "User-agent: *\nAllow: /\n\n"
cases = {
    "a group for `open`, crawler open-webgpt": allowed(everybody + "User-agent: open\nDisallow: /\n", "open-webgpt"),
    "a group for `browser`, header with a comment": allowed(
        everybody + "User-agent: browser\nDisallow: /\n", "open-webgpt/0.1 (text browser for research)"
    ),
    "a group for everybody behind a byte order mark": allowed("\ufeffUser-agent: *\nDisallow: /\n", "open-webgpt"),
}
for case, is_allowed in cases.items():
    print(f"{case}: {'allowed' if is_allowed else 'forbidden'}")
assert list(cases.values()) == [False, False, True], "protego behaves differently now"
PYTHON
echo "As described."
