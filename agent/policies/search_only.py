"""The simplest policy that cites: search for the question, quote the first snippet, answer with it.

It is the baseline that shows how much browsing adds.
"""

from collections.abc import Sequence

from agent.policies.passages import hits
from agent.policy import Completion, Prompt
from browser_env.observation import view_lines
from browser_env.pages.characters import clean_line
from browser_env.state import BrowserState

MAX_QUERY = 1_000
"""Maximum length of the query, in characters."""


class SearchOnly:
    """A `Policy` that makes one search and one quote."""

    name = "search-only"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return [
            Completion(_answer(prompt.state) if prompt.state.phase == "answering" else _command(prompt.state))
            for prompt in prompts
        ]


def _command(state: BrowserState) -> str:
    if state.actions_taken == 0:
        return f"Search {clean_line(state.question.text)[:MAX_QUERY].rstrip()}"
    if state.actions_taken == 1 and state.page.kind == "results":
        snippets = (hit.snippet for hit in hits(view_lines(state)))
        if snippet := next(filter(None, snippets), None):
            return f"Quote: {snippet}"
    return "End: Answer"


def _answer(state: BrowserState) -> str:
    return f"{clean_line(state.references[0].extract)} [1]" if state.references else ""
