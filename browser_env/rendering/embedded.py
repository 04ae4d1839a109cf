"""Text of pages that need JavaScript, extracted from data in their source."""

import json
from collections.abc import Iterator
from typing import TypeAlias

from browser_env.rendering.tree import Tree, elements, parse, text_of, texts

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

SCRIPT_SHARE = 0.8
"""Share of scripts in the source above which a page is an application."""
MIN_PROSE = 60
"""Minimum characters of prose; shorter strings in an application's data are ignored."""

_APPLICATION_ROOTS = frozenset({"root", "app", "__next", "__nuxt", "___gatsby", "react-root", "app-root"})


def needs_javascript(tree: Tree, source_length: int) -> bool:
    """Whether a page with little visible text probably shows more after its scripts have run."""
    scripts = tree.by_tag.get("script", [])
    if not scripts:
        return False
    return (
        any(text_of(element).strip() for element in tree.by_tag.get("noscript", []))
        or sum(map(len, map(text_of, scripts))) > SCRIPT_SHARE * source_length
        or any(
            element.attributes.get("id") in _APPLICATION_ROOTS and not text_of(element).strip()
            for element in elements(tree.root)
        )
    )


def embedded_text(tree: Tree) -> list[str]:
    """Paragraphs from the first of these that contains any: JSON-LD, Next.js data, the page's description."""
    for source in (_structured_data, _application_data, _summary):
        if paragraphs := list(dict.fromkeys(source(tree))):
            return paragraphs
    return []


def _structured_data(tree: Tree) -> Iterator[str]:
    for script in tree.by_tag.get("script", []):
        if script.attributes.get("type", "").strip().lower() == "application/ld+json":
            for value in _values(_json(text_of(script))):
                if isinstance(value, dict) and isinstance(body := value.get("articleBody"), str):
                    yield from _paragraphs(body)


def _application_data(tree: Tree) -> Iterator[str]:
    for script in tree.by_tag.get("script", []):
        if script.attributes.get("id") == "__NEXT_DATA__":
            for value in _values(_json(text_of(script))):
                if isinstance(value, str) and len(value) >= MIN_PROSE and value.count(" ") > len(value) / 20:
                    yield from _paragraphs(value)


def _summary(tree: Tree) -> Iterator[str]:
    for name in ("og:description", "description"):
        for meta in tree.by_tag.get("meta", []):
            if name in (meta.attributes.get("property"), meta.attributes.get("name")):
                yield from _paragraphs(meta.attributes.get("content", ""))
                return


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of a text that may be HTML."""
    plain = "".join(texts(parse(text).root)) if "<" in text else text
    for paragraph in plain.split("\n"):
        if paragraph.strip():
            yield paragraph.strip()


def _json(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _values(root: Json) -> Iterator[Json]:
    """Yield a JSON value and all values inside it, in order."""
    stack = [root]
    while stack:
        value = stack.pop()
        yield value
        if isinstance(value, dict):
            stack.extend(reversed(value.values()))
        elif isinstance(value, list):
            stack.extend(reversed(value))
