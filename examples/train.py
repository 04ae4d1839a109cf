"""Train a tiny policy end to end: python examples/train.py [FOLDER] [COLLECTION] [QUESTIONS].

Scripts stand in for people: one demonstrates how to answer questions about the Python documentation, one compares answers. The
defaults take about ten minutes on two cores, enough to see every stage but too little for a good policy; `webgpt reproduce`
trains one in an hour and forty minutes.
"""

import sys
from pathlib import Path

from agent import LanguageModel, RewardModelScore, best_of_n, load_questions
from agent.evaluation.metrics import final_answer, is_correct
from browser_env import Collection, Question, Settings, append_record, default_collection
from training import CloningConfig, Labeler, PPOConfig, RewardModelConfig, clone, demonstrations, train_ppo, train_reward_model
from training.scripted_people.labeler import compared, draw_others

VIEW = Settings(view_height=12, max_actions=12)  # an observation takes about 400 tokens of the small base model


def main(folder: str = "runs/example", collection: str | None = None, num: str = "200") -> None:
    """Demonstrate, clone, compare, train a reward model, improve with PPO, and answer with best-of-2."""
    out = Path(folder)
    out.mkdir(parents=True)

    def open_web() -> Collection:
        return Collection.open(Path(collection)) if collection else default_collection()

    def questions(split: str) -> list[Question]:
        return list(load_questions(f"pydoc:{split}", open_docs=open_web))[: int(num)]

    with open_web() as web:
        demonstrated = list(demonstrations(web, questions("bc"), VIEW))
        for episode in demonstrated:
            append_record(out / "demonstrations.jsonl", episode)
        clone(CloningConfig(demonstrations=(str(out / "demonstrations.jsonl"),), epochs=2), out / "cloned", backend=web)

        for pair in draw_others(demonstrated, 0):  # a good answer beside the answer to another question
            answers = [compared(episode) for episode in pair]
            append_record(out / "comparisons.jsonl", Labeler(seed=0).compare(pair[0].question, answers))
        reward = RewardModelConfig(policy=str(out / "cloned"), comparisons=(str(out / "comparisons.jsonl"),), batch_size=8)
        train_reward_model(reward, out / "reward")

        train_ppo(
            out / "better",
            policy=str(out / "cloned"),
            reward_model=str(out / "reward"),
            backend=web,
            questions=questions("rl"),
            questions_name="rl",
            config=PPOConfig(iterations=1, episodes=4, answers=2, minibatches=4, min_actions=8, max_actions=12),
        )

        policy, score = LanguageModel.load(str(out / "better")), RewardModelScore.load(out / "reward")
        episodes = list(best_of_n(policy, web, questions("test"), VIEW, score, 2))
        correct = [is_correct(episode.question, final_answer(episode), episode.references) for episode in episodes]
        print(f"{sum(map(bool, correct))} of {len(episodes)} test questions answered correctly")


if __name__ == "__main__":
    main(*sys.argv[1:])
