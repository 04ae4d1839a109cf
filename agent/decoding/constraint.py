"""Constrained decoding of commands that the environment can carry out in a browser state.

Three layers, from the tokenizer up:

* `TokenTrie` knows the bytes that every token spells.
* A nondeterministic automaton reads a completion byte by byte: the fixed words of the commands that are valid in the browser
  state, then a query, or a text of the page that a find or a quote may contain (`State` and its implementations). The automaton
  is not compiled; its states are made as they are reached, and the states inside a page hold offsets into an index of the page
  (`PageText`).
* `ConstraintState` is the set of automaton states that one completion may be in. Descending the trie along all of them gives
  the allowed tokens, from which `mask_logits` makes the mask.

Invariants:

* A token is allowed only if the command can be completed within the tokens that remain, so a completion is never cut off
  inside a command, except where no command fits at all.
* Every completed command is valid in its browser state, and what it finds or quotes is on the page, in view or not. The
  environment's matching ignores more (case, similar characters), so it accepts texts that are not allowed here.
* A find must move the view. The text found last is excluded unless it occurs elsewhere too: otherwise a policy that follows its
  past actions repeats a find without effect until its actions are used up.
* Answers are free text: only special tokens and an end before the first visible character are excluded.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from agent.decoding.command_states import CommandGrammar, CommandOptions, CommandState
from agent.decoding.page_states import UNLIMITED, TextState
from agent.decoding.page_text import PageText
from agent.decoding.states import AllowedTokens, AnswerState, AnswerTokens, Complete, QueryTokens, State
from agent.decoding.token_trie import TokenIds, TokenTrie
from browser_env.actions import MAX_LINK_DIGITS
from browser_env.pages.page import Page
from browser_env.state import BrowserState

if TYPE_CHECKING:
    from torch import Tensor

MAX_PAGES = 256
"""Maximum number of pages whose index is cached; an index takes up to some megabytes."""


class Constraint:
    """The constraint on completions in the tokens of one tokenizer, with caches of command tables and page indexes."""

    def __init__(self, trie: TokenTrie) -> None:
        self.trie = trie
        self._grammar = CommandGrammar(trie)
        self._query_tokens = QueryTokens(trie)
        self._answer_tokens = AnswerTokens(trie)
        self._pages: OrderedDict[str, PageText] = OrderedDict()

    def start(self, state: BrowserState) -> "ConstraintState":
        """The state before the first token of a completion in a browser state."""
        if state.phase == "answering":
            return ConstraintState(self.trie, [AnswerState(self._answer_tokens, b"")])
        page, page_text = state.page, self._page_text(state.page)
        can_quote = page.kind == "page" or (page.kind == "results" and bool(page.links))
        options = CommandOptions(
            has_back=len(state.visits) > 1,
            num_links=min(len(page.link_urls), 10**MAX_LINK_DIGITS),
            shortest_text=page_text.shortest_text,
            can_quote=can_quote and page_text.shortest_text > 0,
        )
        findable = _findable(page_text, state)
        start = CommandState(self._grammar, self._query_tokens, options, page_text, findable, b"")
        return ConstraintState(self.trie, [start])

    def allowed_tokens(self, state: BrowserState, token_ids: Sequence[int], max_tokens: int) -> list[TokenIds | None]:
        """The tokens that were allowed at each token of a completion, to compute its log-probabilities again.

        Args:
            state: The browser state that the completion was sampled in.
            token_ids: The completion.
            max_tokens: The limit that it was sampled under.

        Returns:
            Token ids for each token. From the first token that was not allowed on, as in a completion that was sampled without
            the constraint: None, which means all tokens.
        """
        constraint_state = self.start(state)
        allowed: list[TokenIds | None] = []
        for position, token in enumerate(token_ids):
            ids = constraint_state.allowed_tokens(max_tokens - position)
            if ids is None or not _contains(ids, token):
                return [*allowed, *[None] * (len(token_ids) - position)]
            allowed.append(ids)
            constraint_state.advance(token)
        return allowed

    def _page_text(self, page: Page) -> PageText:
        page_text = self._pages.pop(page.digest, None)
        if page_text is None:
            page_text = PageText(page.text, self.trie)
            while len(self._pages) >= MAX_PAGES:
                self._pages.popitem(last=False)
        self._pages[page.digest] = page_text
        return page_text


def _findable(page_text: PageText, state: BrowserState) -> PageText:
    """The texts that a find may contain: all except the one that the last find moved the view to."""
    visit, starts = state.visit, state.layout.starts
    has_found = visit.find_from != (starts[visit.top] if starts else 0)
    return page_text.excluding_end(visit.find_from) if has_found else page_text


class ConstraintState:
    """The position of one completion: the automaton states that its tokens have led to."""

    def __init__(self, trie: TokenTrie, states: Sequence[State]) -> None:
        self._trie = trie
        self._states = list(states)

    def allowed_tokens(self, remaining: int) -> TokenIds | None:
        """The tokens that may come next.

        Args:
            remaining: Number of tokens that may still be written, the next one included. If no command can be completed within
                them, the limit is ignored, and the command will be cut off.

        Returns:
            Token ids; None if all are allowed, because the completion is outside the constraint.
        """
        if not self._states:
            return None
        for limit in (remaining, UNLIMITED):
            allowed = AllowedTokens(self._trie)
            for state in self._states:
                state.collect(0, limit, allowed)
            ids = allowed.ids()
            if len(ids):
                return ids
        return None

    def advance(self, token: int) -> None:
        """Move over a token. Bytes after the end of a command are ignored."""
        piece = self._trie.pieces[token] if token < len(self._trie.pieces) else None
        if piece is None:
            self._states = []
            return
        if len(self._states) == 1 and isinstance(self._states[0], TextState):
            states = self._states[0].advance(piece)
            if states is not None:
                self._states = list(states)
                return
        for byte in piece:
            if self.is_complete:
                break
            self._states = [following for state in self._states for following in state.step(byte)]

    @property
    def is_complete(self) -> bool:
        """Whether a command is complete, its line feed included."""
        return any(isinstance(state, Complete) for state in self._states)


class ConstraintLogitsProcessor:
    """The constraint as a logits processor for transformers' ``generate``."""

    def __init__(self, constraint: Constraint, states: Sequence[BrowserState], prompt_length: int, max_tokens: int) -> None:
        """Start with a batch of prompts.

        Args:
            constraint: The constraint for the model's tokenizer.
            states: The browser state of each row; ``generate`` must use one beam and return one sequence for each.
            prompt_length: Number of tokens of the padded prompts.
            max_tokens: The value passed as ``max_new_tokens``.
        """
        self._states = [constraint.start(state) for state in states]
        self._length = self._prompt_length = prompt_length
        self._max_tokens = max_tokens

    def __call__(self, input_ids: "Tensor", scores: "Tensor") -> "Tensor":
        """Mask the tokens that are not allowed; arguments have shapes (B, T) and (B, V)."""
        for column in range(self._length, input_ids.shape[1]):
            for state, token in zip(self._states, input_ids[:, column].tolist(), strict=True):
                state.advance(token)
        self._length = input_ids.shape[1]
        remaining = self._max_tokens - (self._length - self._prompt_length)
        return mask_logits(scores, [None if state.is_complete else state.allowed_tokens(remaining) for state in self._states])


def mask_logits(logits: "Tensor", allowed: Sequence[TokenIds | None]) -> "Tensor":
    """Logits with minus infinity for the tokens that are not allowed.

    Args:
        logits: Shape (B, V).
        allowed: Allowed token ids of each row; None: all.
    """
    import torch

    constrained = [row for row, ids in enumerate(allowed) if ids is not None]
    if not constrained:
        return logits
    columns_of_row = [ids for ids in allowed if ids is not None]
    rows, columns = np.repeat(np.array(constrained), list(map(len, columns_of_row))), np.concatenate(columns_of_row)
    is_masked = torch.zeros(logits.shape, dtype=torch.bool)
    is_masked[constrained] = True
    is_masked[torch.from_numpy(rows), torch.from_numpy(columns)] = False
    return logits.masked_fill(is_masked.to(logits.device), float("-inf"))


def _contains(ids: TokenIds, token: int) -> bool:
    index = int(np.searchsorted(ids, token))
    return index < len(ids) and int(ids[index]) == token
