"""Recognition of CAPTCHA and login pages, which sites show in place of the requested page.

No CAPTCHA is solved and no credentials are sent. Such a page becomes an error that names the reason.
"""

import re
from typing import Final

from browser_env.pages.page import Page

SHORT: Final = 1_500
"""Maximum characters of a CAPTCHA page; articles about CAPTCHAs are longer."""
LOGIN_SHORT: Final = 400
"""Maximum characters of a login page."""

REASONS: Final = {
    401: "asks for a login, and none is sent",
    403: "does not admit this visitor",
    407: "asks for a login at a proxy, and none is sent",
    429: "is asked too often; try something else first",
    451: "may not show this for legal reasons",
}
"""Explanations of some error statuses, as the end of a sentence."""

_CHALLENGE_SOURCE: Final = re.compile(
    rb"cf-challenge|cf_chl_|challenge-platform|cdn-cgi/challenge|_incapsula_resource|captcha-delivery\.com|px-captcha|"
    rb"g-recaptcha|h-captcha|hcaptcha\.com|awswafcaptcha|aws-waf-token",
    re.IGNORECASE,
)
_CHALLENGE_TEXT: Final = re.compile(
    r"unusual traffic|just a moment|checking your browser|verify(?:ing)? (?:that )?you are (?:a )?human|are you a robot|"
    r"not a robot|attention required|enable (?:javascript and )?cookies to continue|access to this page has been denied|"
    r"security check|complete the captcha|press (?:&|and) hold",
    re.IGNORECASE,
)
_PASSWORD: Final = re.compile(rb"""<input\b[^>]*\btype\s*=\s*["']?password\b""", re.IGNORECASE)
_LOGIN_TEXT: Final = re.compile(r"\b(?:log ?in|sign ?in|log ?on|password|subscribe(?:rs)?)\b", re.IGNORECASE)


def wall(page: Page, source: bytes) -> str | None:
    """The reason why a page is not the one that was requested, as the end of a sentence; None if it is.

    A CAPTCHA page is short, with signs of a CAPTCHA in both its source and its text. A login page is short and has a password
    field.
    """
    text = f"{page.title} {page.text}"
    if len(page.text) <= SHORT and _CHALLENGE_TEXT.search(text) and _CHALLENGE_SOURCE.search(source):
        return "tests whether its visitors are human, so it cannot be read here"
    if len(page.text) <= SHORT and "unusual traffic" in page.text and page.text.count("\n") < 20:
        return "answers with a test for humans, because of unusual traffic"
    if len(page.text) <= LOGIN_SHORT and _PASSWORD.search(source) and _LOGIN_TEXT.search(text):
        return "asks for a login, and none is sent"
    return None
