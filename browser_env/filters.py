"""Filters of what a policy may see: blocked domains, and pages that contain the question or its answer (Appendix A)."""

import re
from collections.abc import Iterable

from browser_env.pages.page import Page, domain_of

NGRAM = 10
"""Number of consecutive words that a page may not share with the question or its reference answer."""

_WORD = re.compile(r"\w+")


def is_blocked(url: str, domains: Iterable[str]) -> bool:
    """Whether a URL belongs to one of the domains or a subdomain of one."""
    host = domain_of(url)
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def shares_ngram(text: str, grams: frozenset[str]) -> bool:
    """Whether a text contains any of the word sequences that `forbidden_ngrams` returns."""
    return bool(grams) and any(gram in grams for gram in _ngrams(text))


def forbidden_ngrams(*texts: str | None) -> frozenset[str]:
    """All sequences of `NGRAM` consecutive words of the texts, without case and punctuation."""
    return frozenset(gram for text in texts if text for gram in _ngrams(text))


def _ngrams(text: str) -> Iterable[str]:
    words = _WORD.findall(text.casefold())
    return (" ".join(words[start : start + NGRAM]) for start in range(len(words) - NGRAM + 1))


def without_blocked_links(page: Page, domains: tuple[str, ...]) -> Page:
    """Turn links to blocked domains into plain text, so that they get no link ids."""
    return page.without_links(lambda url: is_blocked(url, domains))
