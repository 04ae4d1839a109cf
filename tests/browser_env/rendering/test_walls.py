"""Tests for humans and logins, pages that only mention them, and redirects by refresh."""

import pytest

from browser_env.errors import FetchError
from browser_env.pages.document import Document
from browser_env.rendering.refresh import refresh_target
from browser_env.rendering.render import render

URL = "https://a.com/page"
LONG = "<p>" + "Crows bring gifts to people who feed them. " * 50

WALLS = {
    "a challenge": (
        "<title>Just a moment...</title>Verifying you are human<script src=/cdn-cgi/challenge-platform/x.js></script>",
        200,
        "tests whether its visitors are human",
    ),
    "a challenge with a status": (
        "<title>Just a moment...</title>Enable JavaScript and cookies to continue<div class=cf-challenge></div>", 503,
        "HTTP 503 Service Unavailable: https://a.com/page tests whether its visitors are human",
    ),
    "a captcha": ("<h1>Are you a robot?</h1><div class=g-recaptcha></div>", 200, "tests whether its visitors are human"),
    "unusual traffic": (
        "Our systems have detected unusual traffic from your computer network.", 200, "because of unusual traffic",
    ),
    "a login": ("<h1>Sign in</h1><form>Name <input name=n> Password <input type='password'></form>", 200, "asks for a login"),
    "401": ("Who are you?", 401, "HTTP 401 Unauthorized: https://a.com/page asks for a login, and none is sent. The server says: Who"),
    "403": ("No.", 403, "HTTP 403 Forbidden: https://a.com/page does not admit this visitor"),
    "407": ("", 407, "asks for a login at a proxy"),
    "429": ("Slow down", 429, "HTTP 429 Too Many Requests: https://a.com/page is asked too often"),
}  # fmt: skip


@pytest.mark.parametrize(("html", "status", "message"), WALLS.values(), ids=WALLS.keys())
def test_a_wall_is_an_error_that_names_it(html: str, status: int, message: str) -> None:
    with pytest.raises(FetchError) as caught:
        render(Document(URL, html.encode(), "text/html", status))
    assert message in str(caught.value)
    assert URL in str(caught.value)


PAGES = {
    "an article about captchas": f"<h1>Are you a robot?</h1>{LONG}<script src=//www.google.com/recaptcha/api.js></script>",
    "a form with a captcha": f"Leave a comment<div class=g-recaptcha></div>{LONG}",
    "a short comment form with a captcha": "<p>Crows bring gifts.</p><form>Comment<div class=g-recaptcha></div></form>",
    "an article with a login in its corner": f"{LONG}<form>Sign in <input type=password></form>",
    "a page about logins": "<h1>How to sign in</h1>Choose a password.",
}


@pytest.mark.parametrize("html", PAGES.values(), ids=PAGES.keys())
def test_page_that_mentions_a_challenge_or_login_is_shown(html: str) -> None:
    assert render(Document(URL, html.encode(), "text/html")).kind == "page"


REFRESHES = {
    "at once": ("<meta http-equiv=refresh content='0;url=/next'>", "https://a.com/next"),
    "soon": ('<META HTTP-EQUIV="Refresh" CONTENT="5; URL=\'next?a=1&amp;b\'">', "https://a.com/next?a=1&b"),
    "without a name": ("<meta http-equiv=refresh content='0, https://b.org/'>", "https://b.org/"),
    "from another base": ("<base href=//b.org/x/><meta http-equiv=refresh content='1;url=y'>", "https://b.org/x/y"),
    "late": ("<meta http-equiv=refresh content='6;url=/next'>", None),
    "itself": ("<meta http-equiv=refresh content='0;url=/page#x'>", None),
    "reloading": ("<meta http-equiv=refresh content=0>", None),
    "to a file": ("<meta http-equiv=refresh content='0;url=file:///etc/passwd'>", None),
    "to a program": ("<meta http-equiv=refresh content='0;url=javascript:x()'>", None),
    "with a password": ("<meta http-equiv=refresh content='0;url=https://u:p@b.org/'>", None),
    "from https to http": ("<meta http-equiv=refresh content='0;url=http://a.com/next'>", None),
    "in a comment": ("<!-- <meta http-equiv=refresh content='0;url=/next'> -->", None),
    "in words": ("<p>refresh</p>", None),
}


@pytest.mark.parametrize(("html", "target"), REFRESHES.values(), ids=REFRESHES.keys())
def test_refresh_target(html: str, target: str | None) -> None:
    document = Document(URL, html.encode(), "text/html")
    assert refresh_target(document.body, document.content_type, document.url) == target
