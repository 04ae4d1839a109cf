"""Train a tiny policy end to end: python examples/train.py [FOLDER] [COLLECTION] [QUESTIONS].

It needs torch (make install EXTRAS=train). Scripts stand in for people who demonstrate and compare. The defaults take about ten
minutes on two cores, too little for a good policy (`webgpt reproduce` trains one). A killed run resumes.
"""

import sys
from pathlib import Path

from agent import LanguageModel, RewardModelScore, best_of_n, final_answer, is_correct, load_questions
from browser_env import Collection, Episode, Question, Settings, default_collection, read_records
from training import (
    CloningConfig,
    Labeler,
    PPOConfig,
    RewardModelConfig,
    add_comparisons,
    add_demonstrations,
    clone,
    draw_others,
    train_ppo,
    train_reward_model,
)

VIEW = Settings(view_height=12, max_actions=10)  # an observation takes about 400 tokens of the small base model


def main(folder: str = "runs/example", collection: str | None = None, num: str = "200") -> None:
    """Demonstrate, clone, compare, train a reward model, improve with PPO, and answer with best-of-2."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    demonstrations, comparisons, better = out / "demonstrations.jsonl", out / "comparisons.jsonl", out / "better"
    cloned, reward = str(out / "cloned"), str(out / "reward")

    def open_web() -> Collection:
        return Collection.open(Path(collection)) if collection else default_collection()

    def questions(split: str) -> list[Question]:
        return list(load_questions(f"pydoc:{split}", open_docs=open_web))[: int(num)]

    rl, test = questions("rl"), questions("test")
    with open_web() as web:
        add_demonstrations(demonstrations, web, questions("bc"), VIEW, noise=0.1, seeds=[0])
        clone(CloningConfig(demonstrations=(str(demonstrations),)), out / "cloned", backend=web)

        pairs = draw_others(read_records(demonstrations, Episode), seed=0)  # good answers beside answers to other questions
        add_comparisons(comparisons, pairs, Labeler(seed=0), seed=0)
        train_reward_model(RewardModelConfig(policy=cloned, comparisons=(str(comparisons),)), out / "reward")

        ppo = PPOConfig(iterations=1, episodes=2, answers=2, minibatches=2, min_actions=8, max_actions=10)
        train_ppo(better, policy=cloned, reward_model=reward, backend=web, questions=rl, questions_name="rl", config=ppo)

        episodes = list(best_of_n(LanguageModel.load(str(better)), web, test, VIEW, RewardModelScore.load(reward), 2))
        correct = [is_correct(episode.question, final_answer(episode), episode.references) for episode in episodes]
        print(f"{sum(map(bool, correct))} of {len(episodes)} test questions answered correctly")


if __name__ == "__main__":
    main(*sys.argv[1:])
