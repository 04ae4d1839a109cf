"""The whole of WebGPT in order: demonstrations, cloning, comparisons, a reward model, best-of-n, PPO, and what each gained.

Everything is measured on the test split: modules that neither the base model nor any later stage has seen. Scripted people
stand in for annotators (`training.scripted_people.demonstrator`, `training.scripted_people.labeler`); files of people's
records take the same path, since they are the same records.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from agent.models.language_model import LanguageModel
from agent.models.reward_model import RewardModelScore
from agent.models.shipped import SMALL, model_digest
from agent.policies.scripted import Scripted
from agent.policies.search_only import SearchOnly
from agent.policy import Policy
from agent.question_sets.pydoc.questions import PythonDocsQuestions
from agent.question_sets.selection import digest
from agent.question_sets.splits import Split
from agent.rollouts.best_of_n import sample_episodes
from agent.rollouts.rollout import rollout
from agent.score import Scored
from browser_env.errors import UsageError
from browser_env.offline_web.collection import Collection
from browser_env.records import Episode, Question, Settings
from browser_env.records.files import lock_folder
from browser_env.records.storage import append_record, drop_torn_line, read_records
from training.base_model.config import SMALL_VIEW
from training.behavior_cloning.train import CloningConfig, clone
from training.ppo.config import PPOConfig
from training.ppo.train import train_ppo
from training.reproduction.stages import Stages
from training.reward_model.measures import figures, labeler_agreement
from training.reward_model.train import GroupSource, RewardModelConfig, held_out_of, read_preferences, train_reward_model
from training.runs import begin_run
from training.scripted_people.demonstrator import demonstrations
from training.scripted_people.labeler import Labeler, compared, draw_others, draw_pairs, gold_score_of

TEMPERATURE: Final = 0.8
"""Of everything that samples (§3.2), but where it is said otherwise."""
COMPARED_TEMPERATURE: Final = 1.0
"""Of the answers that are compared: a good policy answers alike where it is cooler, and PPO samples so too."""
COMMAND_TOKENS: Final = 96
ANSWER_TOKENS: Final = 128
"""Longest command and answer: more than all but two of 14,365 demonstrated commands, and twice the longest answer. A batch
takes as long as its longest row, and one answer in twelve ran on for ever."""
NO_ANSWER: Final = -10.0
"""Score of an episode without an answer, far below that of any answer."""
TABLE_NUMBERS: Final = (4, 16, 64)
"""Values of n that the tables show (§3.2)."""
REWARD_MODELS: Final = {"reward_model": "1/2", "validation_reward_model": "2/2"}
"""The one that decides and the one that judges it (Appendix I), with their parts of the questions."""
CLEAN: Final = "clean.json"
"""File of the scores: how well reward models do on comparisons by a labeler who never errs."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much of everything."""

    demonstrated: int | None
    """Questions of the split bc; None: all."""
    demonstrations_each: int
    """Demonstrations of each, with other detours."""
    cloning_epochs: float
    cloning_eval_every: int
    cloning_eval_questions: int
    compared: int
    """Questions of the split rm."""
    answers_each: int
    """Episodes of each that are sampled to be compared."""
    pairs_each: int
    """Comparisons of each at most."""
    others: int
    """Questions of the split rm whose demonstrated answers are compared with such answers to other questions, as those of the
    demonstrations are."""
    reward_epochs: float
    ppo_iterations: int
    ppo_episodes: int
    ppo_group: int
    """Of them for each question."""
    ppo_answers: int
    tested: int
    """Questions of the split test that every policy answers."""
    sampled: int
    """The first of them, which are also answered several times for best-of-n."""
    samples: int
    """How many times: the largest n."""
    deep: int
    """The first of those, which are answered more often still."""
    deep_samples: int


SCALES: Final = {
    "smoke": Amounts(
        demonstrated=24,
        demonstrations_each=1,
        cloning_epochs=1,
        cloning_eval_every=1000,
        cloning_eval_questions=0,
        compared=12,
        answers_each=3,
        pairs_each=3,
        others=12,
        reward_epochs=1,
        ppo_iterations=1,
        ppo_episodes=4,
        ppo_group=2,
        ppo_answers=2,
        tested=12,
        sampled=6,
        samples=4,
        deep=3,
        deep_samples=4,
    ),
    "default": Amounts(
        demonstrated=None,
        demonstrations_each=2,
        cloning_epochs=1.75,
        cloning_eval_every=425,
        cloning_eval_questions=96,
        compared=300,
        answers_each=4,
        pairs_each=6,
        others=1600,
        reward_epochs=1.25,
        ppo_iterations=10,
        ppo_episodes=96,
        ppo_group=4,
        ppo_answers=2,
        tested=200,
        sampled=80,
        samples=16,
        deep=0,
        deep_samples=0,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproduceConfig:
    """What a reproduction is made of."""

    amounts: Amounts
    base: str = SMALL
    """The base model: the small one, a folder or a hub name."""
    settings: Settings = SMALL_VIEW
    """What the policies see."""
    noise: float = 0.1
    """Of the demonstrator."""
    replaced: float = 0.5
    """Share of the demonstrations in which words are replaced while they are learned."""
    reward_replaced: float = 0.9
    """The same of the comparisons: answers are learned by heart sooner than commands."""
    cloning_rate: float = 1e-3
    choice_weight: float = 5.0
    """See `CloningConfig`."""
    reward_rate: float = 1e-3
    reward_batch: int = 8
    """Comparisons in a step: with few of them, many small steps teach more than few large ones."""
    ppo_rate: float = 7e-5
    ppo_value_rate: float = 3e-4
    no_answer_score: float = -0.5
    """What PPO is given for an episode without an answer: about what the reward model says of a wrong answer. Some questions
    should have none, and a reward model sees nothing but answers."""
    kl_budget: float = 12.0
    batch_size: int = 64
    """Episodes in flight."""
    seed: int = 0


class Reproduction:
    """One run of everything, in a folder."""

    def __init__(self, config: ReproduceConfig, web: Collection, out: Path, *, say: Say = lambda line: None) -> None:
        """Prepare; nothing is done yet.

        Args:
            config: All that decides the results.
            web: The documentation, with its questions.
            out: Folder of the stages; a run that was stopped goes on.
            say: Is told what happens, a line at a time.
        """
        self.config, self.web, self.out, self.say = config, web, out, say
        self.stages = Stages(out, on_begin=lambda name, is_done: say(f"{name}: {'done before' if is_done else 'begins'}"))
        docs = PythonDocsQuestions(web)
        amounts = config.amounts

        def first(split: Split, number: int | None) -> tuple[Question, ...]:
            return docs.questions(split)[:number]

        self.demonstrated = first("bc", amounts.demonstrated)
        self.compared = first("rm", amounts.compared)
        self.others = first("rm", amounts.others)
        self.asked_in_rl = first("rl", None)
        self.tested = first("test", amounts.tested)
        for name, found in {"bc": self.demonstrated, "rm": self.compared, "rl": self.asked_in_rl, "test": self.tested}.items():
            if not found:
                raise UsageError(f"{web.name} has no questions of the split {name}; give a collection with more modules")

    def run(self) -> Path:
        """Everything in order; the result is the folder of the figures, for `training.reproduction.report`."""
        self.out.mkdir(parents=True, exist_ok=True)
        with lock_folder(self.out):
            begin_run(self.out, self.config)
            self._run_stages()
        return self.out

    def _run_stages(self) -> None:
        amounts, stages = self.config.amounts, self.stages
        about = {"web": self.web.name, "settings": asdict(self.config.settings), "seed": self.config.seed}
        demonstrated = stages.run(
            "demonstrations",
            about
            | {
                "questions": digest(self.demonstrated),
                "each": amounts.demonstrations_each,
                "noise": self.config.noise,
            },
            self._demonstrate,
        )
        cloned = stages.run(
            "cloned",
            {
                "demonstrations": demonstrated,
                "base": model_digest(self.config.base),
                "config": asdict(self._cloning(Path("x"))),
            },
            self._clone,
        )
        sampled = stages.run(
            "answers",
            {
                "policy": cloned,
                "questions": digest(self.compared),
                "each": amounts.answers_each,
                "temperature": COMPARED_TEMPERATURE,
            },
            self._sample,
        )
        labelled = stages.run(
            "comparisons",
            {
                "answers": sampled,
                "demonstrations": demonstrated,
                "pairs": amounts.pairs_each,
                "others": digest(self.others),
                "noise": self.config.noise,
            },
            self._compare,
        )
        rewards = {}
        for name, part in REWARD_MODELS.items():
            rewards[name] = stages.run(
                name,
                {"comparisons": labelled, "policy": cloned, "config": asdict(self._rewarding(part))},
                lambda folder, part=part: self._train_reward_model(folder, part),  # type: ignore[misc]
            )
        improved = stages.run(
            "ppo",
            {"policy": cloned, "reward": rewards["reward_model"], "config": asdict(self._improving())},
            self._improve,
        )
        tested = digest(self.tested)
        answered = {}
        answered["plain"] = stages.run("tested", {"tested": tested, "cloned": cloned, "ppo": improved}, self._test)
        for name, policy in (("cloned", cloned), ("ppo", improved)):
            answered[name] = stages.run(
                f"samples_{name}",
                {
                    "tested": tested,
                    "policy": policy,
                    "numbers": [amounts.sampled, amounts.samples, amounts.deep, amounts.deep_samples],
                },
                lambda folder, name=name: self._sample_for_best(folder, name),  # type: ignore[misc]
            )
        stages.run("scores", {**answered, **rewards}, self._score)

    # ------------------------------------------------------------------------------------------------------- the stages

    def _demonstrate(self, folder: Path) -> None:
        file = folder / "demonstrations.jsonl"
        file.unlink(missing_ok=True)
        number = 0
        for each in range(self.config.amounts.demonstrations_each):
            seed = self.config.seed + each
            for episode in demonstrations(
                self.web, self.demonstrated, self.config.settings, noise=self.config.noise, seed=seed
            ):
                append_record(file, episode)
                number += 1
        self.say(f"  {number:,} demonstrations of {len(self.demonstrated):,} questions")

    def _cloning(self, demonstrated: Path) -> CloningConfig:
        amounts = self.config.amounts
        return CloningConfig(
            base=self.config.base,
            demonstrations=(str(demonstrated),),
            epochs=amounts.cloning_epochs,
            learning_rate=self.config.cloning_rate,
            eval_every=amounts.cloning_eval_every,
            eval_questions=amounts.cloning_eval_questions,
            replaced=self.config.replaced,
            choice_weight=self.config.choice_weight,
            seed=self.config.seed,
        )

    def _clone(self, folder: Path) -> None:
        report = clone(
            self._cloning(self.out / "demonstrations" / "demonstrations.jsonl"),
            folder / "model",
            backend=self.web,
            on_evaluation=lambda one: self.say(f"  step {one.step:,}: score {one.score}  loss {one.held_out_loss}"),
        )
        self.say(f"  {report.rows:,} steps of episodes, {report.steps:,} steps of the optimizer, score {report.score}")

    def _policy(self, name: Literal["cloned", "ppo"], *, temperature: float = TEMPERATURE, free: bool = False) -> LanguageModel:
        folder = str(self.out / name / "model")
        return LanguageModel.load(
            folder,
            name=name,
            temperature=temperature,
            free=free,
            max_command_tokens=COMMAND_TOKENS,
            max_answer_tokens=ANSWER_TOKENS,
        )

    def _sample(self, folder: Path) -> None:
        policy = self._policy("cloned", temperature=COMPARED_TEMPERATURE)
        self._keep_samples(folder / "answers.jsonl", policy, self.compared, self.config.amounts.answers_each)

    def _keep_samples(self, file: Path, policy: Policy, questions: Sequence[Question], number: int) -> None:
        """Add the samples of the questions that have none yet."""
        drop_torn_line(file)
        done: dict[str, int] = defaultdict(int)
        for episode in read_episodes(file):
            done[episode.question.id] += 1
        missing = [question for question in questions if done[question.id] < number]
        finished = len(questions) - len(missing)
        samples = sample_episodes(
            policy, self.web, missing, self.config.settings, number, seed=self.config.seed, batch_size=self.config.batch_size
        )
        for count, found in enumerate(samples, start=finished + 1):
            for episode in found[done[found[0].question.id] :]:
                append_record(file, episode)
            if count % 20 == 0:
                self.say(f"  {count} of {len(questions)} questions")

    def _compare(self, folder: Path) -> None:
        amounts, seed = self.config.amounts, self.config.seed
        answered = read_episodes(self.out / "answers" / "answers.jsonl")
        # As people do: some pairs are rated by two of them, which says how well they agree.
        labelers = Labeler(seed), Labeler(seed + 1), Labeler(seed, error=0.0)
        files = [folder / f"{name}.jsonl" for name in ("comparisons", "second_ratings", "clean")]
        others = folder / "others.jsonl"
        for file in (*files, others):
            file.unlink(missing_ok=True)
        asked: Counter[str] = Counter()
        for pair in draw_pairs(answered, amounts.pairs_each, seed):
            asked[pair[0].question.id] += 1
            for labeler, file in zip(labelers, files, strict=True):
                append_record(file, labeler.compare(pair[0].question, [compared(one) for one in pair], seed=seed))
        if not asked:
            raise UsageError("no two answers to any question differ, so there is nothing to compare: sample more of them")
        self.say(f"  {asked.total():,} comparisons of {len(asked):,} questions")
        demonstrated = read_episodes(self.out / "demonstrations" / "demonstrations.jsonl")
        more = demonstrations(self.web, self.others, self.config.settings, noise=self.config.noise, seed=seed)
        pairs = [*draw_others(demonstrated, seed), *draw_others(more, seed)]
        others.touch()  # of a web that is too small for any
        for pair in pairs:
            append_record(others, labelers[0].compare(pair[0].question, [compared(one) for one in pair], seed=seed))
        self.say(f"  {len(pairs):,} comparisons with answers to other questions")

    def _rewarding(self, part: str) -> RewardModelConfig:
        return RewardModelConfig(
            policy=str(self.out / "cloned" / "model"),
            comparisons=tuple(str(self.out / "comparisons" / f"{name}.jsonl") for name in ("comparisons", "others")),
            epochs=self.config.amounts.reward_epochs,
            batch_size=self.config.reward_batch,
            learning_rate=self.config.reward_rate,
            replaced=self.config.reward_replaced,
            learning_curve=part == "1/2",
            part=part,
            seed=self.config.seed,
        )

    def _train_reward_model(self, folder: Path, part: str) -> None:
        report = train_reward_model(self._rewarding(part), folder / "model")
        accuracy = report.figures.accuracy
        self.say(f"  {report.groups:,} comparisons, accuracy {accuracy.mean:.1%}" if accuracy else "  every pair is a tie")

    def _improving(self) -> PPOConfig:
        amounts = self.config.amounts
        return PPOConfig(
            iterations=amounts.ppo_iterations,
            episodes=amounts.ppo_episodes,
            group_size=amounts.ppo_group,
            answers=amounts.ppo_answers,
            max_actions=self.config.settings.max_actions,
            max_command_tokens=COMMAND_TOKENS,
            max_answer_tokens=ANSWER_TOKENS,
            learning_rate=self.config.ppo_rate,
            value_learning_rate=self.config.ppo_value_rate,
            no_answer_score=self.config.no_answer_score,
            kl_budget=self.config.kl_budget,
            seed=self.config.seed,
        )

    def _improve(self, folder: Path) -> None:
        amounts = self.config.amounts
        result = train_ppo(
            folder / "model",
            policy=str(self.out / "cloned" / "model"),
            reward_model=str(self.out / "reward_model" / "model"),
            backend=self.web,
            questions=self.asked_in_rl,
            questions_name="pydoc:rl",
            config=self._improving(),
            zero_value=amounts.ppo_group > 1,  # what is beyond the mean of others is 0 to begin with
            gold=lambda episodes: [gold_score_of(episode) for episode in episodes],
            on_iteration=lambda metrics, example: self.say(f"  {metrics.line()}"),
        )
        self.say(f"  {result.iterations} iterations, stopped by {result.stopped_by}")

    def _test(self, folder: Path) -> None:
        policies: tuple[tuple[str, Callable[[], Policy], Settings], ...] = (
            ("cloned", lambda: self._policy("cloned"), self.config.settings),
            ("cloned free", lambda: self._policy("cloned", free=True), self.config.settings),
            ("cloned greedy", lambda: self._policy("cloned", temperature=0), self.config.settings),
            ("ppo", lambda: self._policy("ppo"), self.config.settings),
            ("ppo greedy", lambda: self._policy("ppo", temperature=0), self.config.settings),
            ("scripted", Scripted, Settings()),
            ("search-only", SearchOnly, Settings()),
        )
        for name, make, settings in policies:
            file = folder / f"{name}.jsonl"
            drop_torn_line(file)
            done = {episode.question.id for episode in read_episodes(file)}
            missing = [question for question in self.tested if question.id not in done]
            for episode in rollout(
                make(), self.web, missing, settings, seed=self.config.seed, batch_size=self.config.batch_size
            ):
                append_record(file, episode)
            right = [gold_score_of(episode) for episode in read_episodes(file)]
            self.say(f"  {name}: gold score {sum(right) / len(right):.3f}")

    def _sample_for_best(self, folder: Path, name: Literal["cloned", "ppo"]) -> None:
        amounts, policy = self.config.amounts, self._policy(name)
        self._keep_samples(folder / "samples.jsonl", policy, self.tested[: amounts.sampled], amounts.samples)
        if amounts.deep_samples > amounts.samples and name == "cloned":
            self._keep_samples(folder / "deep.jsonl", policy, self.tested[: amounts.deep], amounts.deep_samples)

    def _score(self, folder: Path) -> None:
        """What each reward model and the gold labeler say of every sample, every tested answer and every clean comparison."""
        models = [RewardModelScore.load(self.out / name / "model") for name in REWARD_MODELS]
        for file in sorted([*self.out.glob("samples_*/*.jsonl"), *self.out.glob("tested/*.jsonl")]):
            episodes = list(read_episodes(file))
            columns = [scores(episodes, model) for model in models]
            gold = [gold_score_of(episode) for episode in episodes]
            rows = [
                {"question": episode.question.id, "seed": episode.seed, "reward": a, "validation": b, "gold": c}
                for episode, a, b, c in zip(episodes, *columns, gold, strict=True)
            ]
            target = folder / f"{file.parent.name}-{file.stem}.jsonl"
            target.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        comparisons = self.out / "comparisons"
        twice = [
            group for name in ("comparisons", "second_ratings") for group in read_preferences(comparisons / f"{name}.jsonl")
        ]
        share, number = labeler_agreement(twice)
        certain: dict[str, object] = {"agreement": share, "rated_twice": number}
        groups = list(read_preferences(comparisons / "clean.jsonl"))
        for model, (name, part) in zip(models, REWARD_MODELS.items(), strict=True):
            held_out = held_out_of(groups, self._rewarding(part))
            source = GroupSource(held_out, model.tokenizer, context=None, name=model.name)
            accuracy = figures(held_out, source.scores(model)).accuracy if held_out else None
            certain[name] = accuracy and asdict(accuracy)
        (folder / CLEAN).write_text(json.dumps(certain))


def scores(episodes: Sequence[Episode], model: RewardModelScore) -> list[float]:
    """A reward model's score of each episode; `NO_ANSWER` if it has no answer."""
    items = [Scored.of(episode) for episode in episodes]
    found = iter(model([item for item in items if item is not None]))
    return [NO_ANSWER if item is None else next(found) for item in items]


def read_episodes(file: Path) -> Iterable[Episode]:
    """The episodes of a file; none if there is no file."""
    return read_records(file, Episode) if file.is_file() else ()
