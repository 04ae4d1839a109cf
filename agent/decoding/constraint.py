"""Decoding held to what the environment can do in a state: commands that are valid there, texts that stand on the page.

A `Walk` goes with one completion. It knows every way on that the bytes written so far leave open (a menu of commands, a place
in a query, places on the page that read the same so far) and walks the tree of the vocabulary along all of them, which gives
the tokens that may come next. A token is offered only if the command can still come to its end within the tokens that are left.
Of an answer, which is free text, only special tokens and an early end are ruled out.

A text of a find or a quote may stand anywhere on the page, not just in view, and a link id may be any of the page's: that is
what the environment takes. Its matching is more lenient (case, look-alikes), so all that is offered here is found there. But a
find must lead somewhere: what was found last is offered again only if it stands elsewhere too, or else a policy that goes by
what it did before repeats a find that moves nothing until its commands are used up.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from agent.decoding.command_states import Commands, Menu, Options
from agent.decoding.page_states import ANY, Text
from agent.decoding.page_text import PageSpans
from agent.decoding.states import Answer, Answers, End, Found, Queries, Way
from agent.decoding.token_trie import Vocabulary
from browser_env.actions import MAX_LINK_DIGITS
from browser_env.pages.page import Page
from browser_env.state import BrowserState

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Ids = NDArray[np.int64]

MAX_PAGES = 256
"""Pages that are kept laid out, some megabytes each at most."""


class Feasible:
    """Holds completions to what is feasible, in the tokens of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Prepare the commands.

        Args:
            vocabulary: Of the model.
        """
        self.vocabulary = vocabulary
        self.commands = Commands(vocabulary)
        self.queries = Queries(vocabulary)
        self.answers = Answers(vocabulary)
        self._pages: OrderedDict[str, PageSpans] = OrderedDict()

    def begin(self, state: BrowserState) -> "Walk":
        """A walk for the completion that a state asks for."""
        if state.phase == "answering":
            return Walk(self.vocabulary, [Answer(self.answers, b"")])
        spans = self._spans(state.page)
        page = state.page
        can_quote = page.kind == "page" or (page.kind == "results" and bool(page.links))
        options = Options(
            has_back=len(state.visits) > 1,
            num_links=min(len(page.link_urls), 10**MAX_LINK_DIGITS),
            text_need=spans.least_need,
            can_quote=can_quote and spans.least_need > 0,
        )
        return Walk(self.vocabulary, [Menu(self.commands, self.queries, options, spans, _findable(spans, state), b"")])

    def allowed_along(self, state: BrowserState, token_ids: Sequence[int], max_tokens: int) -> "list[Ids | None]":
        """What was allowed at each token of a completion, so that its log-probabilities can be had again.

        Args:
            state: That it was written in.
            token_ids: Of the completion.
            max_tokens: How long it might have become.

        Returns:
            Token ids for each token, in order; None: everything, which is so from a token on that was not allowed (a
            completion that was free).
        """
        walk = self.begin(state)
        allowed: list[Ids | None] = []
        for number, token in enumerate(token_ids):
            ids = walk.allowed(max_tokens - number)
            if ids is None or not _contains(ids, token):
                return [*allowed, *[None] * (len(token_ids) - number)]
            allowed.append(ids)
            walk.advance(token)
        return allowed

    def _spans(self, page: Page) -> PageSpans:
        spans = self._pages.pop(page.digest, None)
        if spans is None:
            spans = PageSpans(page.text, self.vocabulary)
            while len(self._pages) >= MAX_PAGES:
                self._pages.popitem(last=False)
        self._pages[page.digest] = spans
        return spans


def _findable(spans: PageSpans, state: BrowserState) -> PageSpans:
    """What a find may say: not what was found last if it stands nowhere else."""
    visit, starts = state.visit, state.layout.starts
    has_found = visit.found != (starts[visit.top] if starts else 0)
    return spans.without_end(visit.found) if has_found else spans


class Walk:
    """One completion in the making."""

    def __init__(self, vocabulary: Vocabulary, ways: "Sequence[Way]") -> None:
        """Begin with the ways that are open."""
        self._vocabulary = vocabulary
        self._ways = list(ways)

    def allowed(self, left: int) -> "Ids | None":
        """The tokens that may come next, in order; None: any, since what was written is not held to anything (any more).

        Args:
            left: Tokens that may still be written, this one included. If no command comes to its end within them, one is
                begun all the same, to be cut.
        """
        if not self._ways:
            return None
        for most in (left, ANY):
            found = Found(self._vocabulary)
            for way in self._ways:
                way.find(0, most, found)
            ids = found.ids()
            if len(ids):
                return ids
        return None

    def advance(self, token: int) -> None:
        """Write a token."""
        piece = self._vocabulary.pieces[token] if token < len(self._vocabulary.pieces) else None
        if piece and len(self._ways) == 1 and isinstance(self._ways[0], Text):
            ways = self._ways[0].write(piece)
            if ways is not None:
                self._ways = list(ways)
                return
        for byte in piece or b"":
            if any(isinstance(way, End) for way in self._ways):
                break  # what stands behind the end of a command is not looked at
            self._ways = [later for way in self._ways for later in way.step(byte)]
        if piece is None:
            self._ways = []

    @property
    def has_ended(self) -> bool:
        """Whether a command is complete, its line break included."""
        return any(isinstance(way, End) for way in self._ways)


class FeasibleLogits:
    """The same as a logits processor of transformers' ``generate``: ``logits_processor=[FeasibleLogits(...)]``."""

    def __init__(self, feasible: Feasible, states: Sequence[BrowserState], prompt_length: int, max_tokens: int) -> None:
        """Begin with a batch.

        Args:
            feasible: For the model's vocabulary.
            states: One for each row, so one beam and one sample a row.
            prompt_length: Tokens of the prompts, padded.
            max_tokens: ``max_new_tokens``.
        """
        self._walks = [feasible.begin(state) for state in states]
        self._seen = self._begin = prompt_length
        self._max_tokens = max_tokens

    def __call__(self, input_ids: "Tensor", scores: "Tensor") -> "Tensor":
        """Rule out what is not feasible."""
        for column in range(self._seen, input_ids.shape[1]):
            for walk, token in zip(self._walks, input_ids[:, column].tolist(), strict=True):
                walk.advance(token)
        self._seen = input_ids.shape[1]
        left = self._max_tokens - (self._seen - self._begin)
        return rule_out(scores, [None if walk.has_ended else walk.allowed(left) for walk in self._walks])


def rule_out(logits: "Tensor", allowed: "Sequence[Ids | None]") -> "Tensor":
    """Logits with minus infinity where a token is not allowed.

    Args:
        logits: Shape (B, V).
        allowed: Of each row; None: everything.
    """
    import torch

    held = [row for row, ids in enumerate(allowed) if ids is not None]
    if not held:
        return logits
    each = [ids for ids in allowed if ids is not None]
    rows, columns = np.repeat(np.array(held), list(map(len, each))), np.concatenate(each)
    is_out = torch.zeros(logits.shape, dtype=torch.bool)
    is_out[held] = True
    is_out[torch.from_numpy(rows), torch.from_numpy(columns)] = False
    return logits.masked_fill(is_out.to(logits.device), float("-inf"))


def _contains(ids: "Ids", token: int) -> bool:
    index = int(np.searchsorted(ids, token))
    return index < len(ids) and int(ids[index]) == token
