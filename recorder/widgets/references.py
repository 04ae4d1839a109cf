"""A list of references, and a report on the citations of an answer."""

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from browser_env.records import Reference
from browser_env.records.citations import check_citations


class ReferenceList(OptionList):
    """References with their numbers, one of which can be chosen."""

    def show(self, references: Sequence[Reference]) -> None:
        """Show references. The choice is kept if possible."""
        chosen = self.highlighted
        self.clear_options()
        self.add_options(Option(_reference_text(number, reference)) for number, reference in enumerate(references, start=1))
        if references:
            self.highlighted = min(chosen or 0, len(references) - 1)

    @property
    def number(self) -> int | None:
        """Number of the chosen reference, from 1. None if there are no references."""
        return None if self.highlighted is None else self.highlighted + 1


def _reference_text(number: int, reference: Reference) -> Text:
    text = Text(f"[{number}] {reference.full_title}", "bold")
    text.append(f"\n{' '.join(reference.extract.split())}\n", Style(bold=False))
    return text


def citation_report(answer: str, references: Sequence[Reference]) -> list[str]:
    """Return problems with an answer's citations, one per line. Empty if every sentence cites an existing reference."""
    check = check_citations(answer, references)
    lines = []
    if check.unknown:
        numbers = ", ".join(f"[{number}]" for number in check.unknown)
        lines.append(f"there is no reference {numbers}")
    lines.extend(f"no citation: {_clipped(sentence.text)}" for sentence in check.uncited)
    unused = [number for number in range(1, len(references) + 1) if number not in check.citations]
    if unused and check.sentences:
        lines.append(f"not cited yet: {', '.join(f'[{number}]' for number in unused)}")
    return lines


def _clipped(text: str, length: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
