import pytest

from training.reward_model.preferences import Candidate, PreferenceGroup


def test_a_group_of_one_candidate_is_refused() -> None:
    with pytest.raises(ValueError, match="two or more"):
        PreferenceGroup("q", (Candidate("q◼", "answer"),), (1,))
