"""The program of `webgpt compare`."""

from recorder.app import RecorderApp
from recorder.comparisons.rating import Rating
from recorder.screens.comparison import ComparisonScreen
from recorder.screens.ranking import RankingScreen
from recorder.screens.work import WorkScreen


class CompareApp(RecorderApp[Rating]):
    """Annotators rate pairs of answers or rank several."""

    def screen_for(self, recording: Rating) -> type[WorkScreen]:
        return RankingScreen if recording.state.begin.task.is_ranking else ComparisonScreen

    def describe(self, recording: Rating) -> str:
        view = recording.view()
        num_claims = sum(len(answer.claims) for answer in view.answers)
        if view.is_ranking:
            progress = f"Answers ranked: {len(view.answers) - len(view.unplaced)} of {len(view.answers)}"
        else:
            progress = f"Ratings: {len(view.scores)}"
        return f"{view.question}\n\n{progress}. Claims marked: {num_claims}."
