"""What a policy must not see: blocked domains, and pages that give the answer away (Appendix A)."""

import re
from collections.abc import Iterable

from browser_env.pages.page import Page, domain_of

NGRAM = 10
"""Words in a row that a page may not share with the question or its reference answer."""

_WORD = re.compile(r"\w+")


def is_blocked(url: str, domains: Iterable[str]) -> bool:
    """Whether an address is on one of some domains or a subdomain of one."""
    host = domain_of(url)
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def shares_ngram(text: str, grams: frozenset[str]) -> bool:
    """Whether a text holds any of some sequences of words."""
    return bool(grams) and any(gram in grams for gram in _ngrams(text))


def forbidden_ngrams(*texts: str | None) -> frozenset[str]:
    """Every sequence of `NGRAM` words of some texts, without case and punctuation; shorter texts have none."""
    return frozenset(gram for text in texts if text for gram in _ngrams(text))


def _ngrams(text: str) -> Iterable[str]:
    words = _WORD.findall(text.casefold())
    return (" ".join(words[start : start + NGRAM]) for start in range(len(words) - NGRAM + 1))


def without_blocked_links(page: Page, domains: tuple[str, ...]) -> Page:
    """The page, its links to blocked domains turned into plain text before ids are given."""
    return page.without_links(lambda url: is_blocked(url, domains))
