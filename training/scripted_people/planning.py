"""The next action of a scripted demonstration, planned from one observation and the known evidence.

Every action follows from the observation alone: queries and the texts to find are names or phrases of the question, the result
that is opened and the sentence that is quoted are in view. Texts to find are tried out on the page before one is chosen. The
evidence decides only which of the sensible actions is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from agent.evaluation.metrics import UNANSWERABLE
from agent.policies.passages import hits
from agent.policies.scripted import after_last
from agent.policies.topics import topics
from browser_env.actions import Action, Back, Click, End, EndReason, Find, Quote, ScrollDown, ScrollUp, Search
from browser_env.observation import view_lines
from browser_env.pages.matching import normal_form, quote_text
from browser_env.pages.page import Page
from browser_env.records import Question
from browser_env.state import BrowserState, apply, shorten
from training.scripted_people.clues import definition_starts, phrases, queries
from training.scripted_people.detours import Detours
from training.scripted_people.targets import Target, TargetPlace, next_target, target_places

MAX_FINDS: Final = 3
"""Maximum number of times in a row that the same text is looked for."""
MANY_FINDS: Final = 8
"""The same maximum when no other text leads to the sentence."""
MAX_SCROLLS: Final = 3
"""Maximum number of views to scroll down from the place that a find leads to."""
MAX_PLACES: Final = 4
"""Maximum number of occurrences of a sentence on a page that are considered."""
FUNCTIONS_HEADING: Final = "Functions"
"""Heading of the functions on a page of Python's documentation, which follow all classes."""


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans the next action for one observation.

    Args:
        state: The state of the environment, with a question that has gold evidence or no answer.
        detours: The detours of the demonstration.
        max_quote_words: Longer quotes are abbreviated as ``start━end``.
    """

    state: BrowserState
    detours: Detours
    max_quote_words: int

    def next_action(self) -> Action:
        """The action to take in the browsing phase."""
        if self._question.kind == UNANSWERABLE:
            return self._look_for_missing()
        target = next_target(self.state)
        if target is None:
            return End(EndReason.ANSWER)
        page = self.state.page
        if page.url == target.url and page.kind == "page":
            return self._read(target)
        match page.kind:
            case "results" if self._searches():
                return self._choose_result(target)
            case "page" | "error" if self._searches() and page.text:
                return self._leave(target)
            case _:
                return self._search(target)

    @property
    def _question(self) -> Question:
        return self.state.question

    # --------------------------------------------------------------------------------------------------------- history

    def _since_quote(self) -> Sequence[str]:
        return after_last(self.state.past_actions, "Quote")

    def _since_click(self) -> Sequence[str]:
        return after_last(self._since_quote(), "Click ")

    def _searches(self) -> list[str]:
        """Queries since the last quote."""
        return [action.removeprefix("Search ") for action in self._since_quote() if action.startswith("Search ")]

    def _finds(self) -> list[str]:
        """Texts that were looked for since this page was opened."""
        prefix = "Find in page "
        return [action.removeprefix(prefix) for action in self._since_click() if action.startswith(prefix)]

    # --------------------------------------------------------------------------------------------------------- results

    def _search(self, target: Target) -> Action:
        """Try the next query, the best first; as a detour the second best before it."""
        options = list(queries(target.topic, self._question.text, target.sentence))
        if len(options) > 1 and self.detours.takes(f"query {target.index}", 1.5):
            options[0], options[1] = options[1], options[0]
        done = self._searches()
        untried = [query for query in options if shorten(query) not in done]
        return Search(untried[0]) if untried else End(EndReason.ANSWER if self.state.references else EndReason.NONSENSE)

    def _choose_result(self, target: Target) -> Action:
        """Open the result that links to the target's page, scrolling to it first; as a detour, open a wrong result before."""
        in_view = [hit.link_id for hit in hits(view_lines(self.state))]
        right = next((index for index, url in enumerate(self.state.page.link_urls) if url == target.url), None)
        if right is None:
            return self._search(target)
        if right not in in_view:
            return ScrollDown(1)
        wrong = [link_id for link_id in in_view if link_id != right]
        has_clicked = any(action.startswith("Click ") for action in self._since_quote())
        if wrong and not has_clicked and self.detours.takes(f"wrong result {target.index}", 0.5):
            return Click(wrong[0])
        return Click(right)

    def _leave(self, target: Target) -> Action:
        """Go back from a wrong page; as a detour, find the name on it first."""
        if target.topic.name and not self._finds() and self.detours.takes(f"look {target.index}", 3.0):
            return Find(f"{target.topic.last}(")
        return Back() if len(self.state.visits) > 1 else self._search(target)

    # ------------------------------------------------------------------------------------------------------------ page

    def _read(self, target: Target) -> Action:
        """Quote the target if it is in view, or else move towards it."""
        places = list(islice(target_places(self.state, target), MAX_PLACES))
        if not places:
            return Back() if len(self.state.visits) > 1 else End(EndReason.NONSENSE)
        for place in places:
            if place.is_in_view(self.state):
                return Quote(self._quotation(target, place))
        actions = (self._approach(target, place) for place in places)
        return next((action for action in actions if not isinstance(action, End)), End(EndReason.NONSENSE))

    def _approach(self, target: Target, place: TargetPlace) -> Action:
        """Scroll or find towards a place; end if nothing leads there."""
        finds = self._finds()
        if not self._since_click() and not place.is_module and self.detours.takes(f"glance {target.index}", 0.3):
            return ScrollDown(1)
        if place.is_above(self.state):
            return ScrollUp(1)
        scrolls = _scrolls_to(self.state, place)
        if scrolls and (place.is_module or (finds and self._is_at_definition(place))):
            return ScrollDown(1)
        if not finds and scrolls == 1 and self.detours.takes(f"read on {target.index}"):
            return ScrollDown(1)
        if (detour := self._find_detour(target, place, finds)) is not None:
            return detour
        if (text := self._text_to_find(target, place, finds)) is not None:
            return Find(text)
        return ScrollDown(1) if scrolls else End(EndReason.NONSENSE)

    def _is_at_definition(self, place: TargetPlace) -> bool:
        """Whether the heading of the sentence is in view, or the sentence is being scrolled to."""
        return place.has_heading_in_view(self.state) or self.state.past_actions[-1].startswith("Scroll down")

    def _find_detour(self, target: Target, place: TargetPlace, finds: Sequence[str]) -> Action | None:
        """A find that people try although a better one is known; only as the first find on a page."""
        if finds or place.is_module:
            return None
        name, index = target.topic.name, target.index
        if name and "." in name and self.detours.takes(f"full name {index}", 0.4) and not _contains(self.state.page, name):
            return Find(name)
        if self.detours.takes(f"phrase {index}", 0.7):
            options = phrases(self._question.text, target.sentence)
            return next((Find(text) for text in options if _steps_by_find(self.state, place, text) == 1), None)
        call = f"{target.topic.last}("
        if place.owner and name and self.detours.takes(f"no class {index}", 0.7) and _steps_by_find(self.state, place, call):
            return Find(call)
        return None

    def _text_to_find(self, target: Target, place: TargetPlace, finds: Sequence[str]) -> str | None:
        """The text to find: the owning class first, a name before a phrase. None if no text leads to the place."""
        page, owner = self.state.page, f"class {place.owner}("
        if place.owner and owner not in finds and _contains(page, owner):
            return owner
        names = definition_starts(target.topic, self._question.text)
        for texts in (names, phrases(self._question.text, target.sentence)):
            costs = [(cost, rank) for rank, text in enumerate(texts) if (cost := _steps_by_find(self.state, place, text))]
            if costs:
                return texts[min(costs)[1]]
            if texts and texts == names and not place.owner and finds.count(FUNCTIONS_HEADING) < MAX_FINDS - 1:
                # Methods of the same name stand above: see one, then go to where the functions begin.
                return FUNCTIONS_HEADING if finds and _contains(page, FUNCTIONS_HEADING) else names[0]
        return next((text for text in names if _steps_by_find(self.state, place, text, MANY_FINDS)), None)

    def _quotation(self, target: Target, place: TargetPlace) -> str:
        """The argument of the quote command."""
        is_plain = self.detours.takes(f"plain {target.index}")
        longest = len(self.state.page.text) if is_plain else self.max_quote_words
        return quote_text(self.state.page.normal, place.span, self.state.layout.starts[self.state.visit.top], longest)

    # -------------------------------------------------------------------------------------------- unanswerable questions

    def _look_for_missing(self) -> Action:
        """Search for a name that does not exist, as a detour a second time, and end.

        The name is not looked for on the page of its module: a policy under constrained decoding cannot do so.
        """
        topic = topics(self._question.text)[0]
        name = topic.name or topic.place or ""
        done = self._searches()
        if not done:
            return Search(shorten(name or " ".join(topic.keywords)).strip() or shorten(self._question.text).strip())
        is_in_results = any(topic.last in f"{hit.title} {hit.snippet}" for hit in hits(view_lines(self.state)))
        is_dotted = bool(topic.name) and "." in name
        if is_dotted and not is_in_results and len(done) == 1 and self.detours.takes("second query", 3.0):
            return Search(topic.last)
        return End(EndReason.NONSENSE)


def _scrolls_to(state: BrowserState, place: TargetPlace) -> int:
    """Number of views to scroll down until a place is in view; 0 if it is not below, or too far."""
    for number in range(1, MAX_SCROLLS + 1):
        state = apply(state, ScrollDown(1)).state
        if place.is_in_view(state):
            return number
    return 0


def _steps_by_find(state: BrowserState, place: TargetPlace, text: str, max_finds: int = MAX_FINDS) -> int:
    """Number of finds and scrolls after which a text brings a place into view; 0 if it does not."""
    positions = set()
    for number in range(1, max_finds + 1):
        state = apply(state, Find(text)).state
        position = state.visit.top, state.visit.find_from
        if state.past_actions[-1].endswith("(not found)") or position in positions:
            return 0
        positions.add(position)
        if place.is_in_view(state):
            return number
        if place.has_heading_in_view(state) and 0 < (scrolls := _scrolls_to(state, place)) < MAX_SCROLLS:
            return number + scrolls
        if place.is_above(state):
            return number + 1
    return 0


def _contains(page: Page, text: str) -> bool:
    return normal_form(text) in page.normal.text
