"""The program behind `webgpt compare`: which screen shows a comparison, and how far one is."""

from recorder.app import RecorderApp
from recorder.comparisons.rating import Rating
from recorder.screens.comparison import ComparisonScreen
from recorder.screens.ranking import RankingScreen
from recorder.screens.work import WorkScreen


class CompareApp(RecorderApp[Rating]):
    """Annotators say which answer is better."""

    def screen_for(self, recording: Rating) -> type[WorkScreen]:
        return RankingScreen if recording.state.begin.task.is_ranking else ComparisonScreen

    def describe(self, recording: Rating) -> str:
        view = recording.view()
        claims = sum(len(answer.claims) for answer in view.answers)
        if view.is_ranking:
            done = f"{len(view.answers) - len(view.unplaced)} of {len(view.answers)} answers ranked"
        else:
            done = f"Ratings: {len(view.scores)}"
        return f"{view.question}\n\n{done}; claims marked: {claims}."
