"""The page of search results, with a link and a snippet for each result (Figure 1b)."""

from collections.abc import Iterable

from browser_env.backends import SearchHit
from browser_env.pages.characters import clean_line
from browser_env.pages.page import Page, PageBuilder


def results_page(query: str, hits: Iterable[SearchHit]) -> Page:
    """Make the results page of a search. Titles and snippets are cleaned like page text."""
    builder = PageBuilder()
    for hit in hits:
        if builder.length:
            builder.write("\n\n")
        builder.link(clean_line(hit.title) or clean_line(hit.url), hit.url)
        if snippet := clean_line(hit.snippet):
            builder.write(f"\n{snippet}")
    if not builder.length:
        builder.write("No results were found.")
    return builder.page("", f"Search results for: {clean_line(query)}", kind="results")
