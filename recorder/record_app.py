"""The program of `webgpt record`."""

from recorder.app import RecorderApp
from recorder.demonstrations.session import Session
from recorder.screens.answer import AnswerScreen
from recorder.screens.browse import BrowseScreen
from recorder.screens.ended import EndedScreen
from recorder.screens.work import WorkScreen


class DemonstrationApp(RecorderApp[Session]):
    """Annotators answer questions with the ten commands."""

    def screen_for(self, recording: Session) -> type[WorkScreen]:
        match recording.view().phase:
            case "browsing":
                return BrowseScreen
            case "answering":
                return AnswerScreen
            case "ended" | "submitted":
                return EndedScreen

    def describe(self, recording: Session) -> str:
        view, num_moves = recording.view(), len(recording.state.moves)
        words = f". Words of the answer: {len(view.answer.split())}" if view.answer else ""
        return f"{view.question}\n\nSteps: {num_moves}. Quotes: {len(view.references)}{words}."
