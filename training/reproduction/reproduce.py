"""The stages of WebGPT in order: demonstrations, cloning, comparisons, reward models, PPO, tests, best-of-n and scores.

Every policy is measured on the split test: modules that neither the base model nor any later stage has seen. Scripted people
replace annotators (`training.scripted_people`). Each stage calls what its command calls, so files that people recorded can take
the place of the scripted ones.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final, assert_never

from agent.evaluation.benchmark import Benchmark
from agent.evaluation.judges import Lexical
from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.shipped import model_digest
from agent.policies.scripted import Scripted
from agent.policies.search_only import SearchOnly
from agent.policy import Policy
from agent.question_sets.pydoc.questions import PythonDocsQuestions
from agent.question_sets.selection import digest
from agent.question_sets.splits import Split
from agent.rollouts.best_of_n import sample_seed
from agent.rollouts.sampling import Samples
from browser_env.errors import UsageError
from browser_env.offline_web.collection import Collection
from browser_env.records import Question, Settings
from browser_env.records.files import Json, lock_folder, write_atomically
from browser_env.records.storage import record_line
from training.behavior_cloning.report import CloningEvaluation
from training.behavior_cloning.train import clone
from training.ppo.train import train_ppo
from training.ppo.trainer import PPOCallbacks
from training.reproduction.config import REWARD_MODEL_PART, VALIDATION_PART, ReproduceConfig
from training.reproduction.folders import TESTED, Folders, Tested, Trained, model_folder, read_episodes
from training.reproduction.scoring import measure_agreement, score_episodes
from training.reproduction.stages import Stages
from training.reward_model.train import train_reward_model
from training.runs import begin_run
from training.scripted_people.comparisons import add_comparisons, draw_others, draw_pairs
from training.scripted_people.demonstrations import add_demonstrations, demonstrations
from training.scripted_people.gold_score import gold_score_of
from training.scripted_people.labeler import Labeler

Log = Callable[[str], None]
EPISODES_PER_MESSAGE: Final = 80
"""Sampled episodes from one progress message to the next."""


class Reproduction:
    """One run of all stages, in a folder."""

    def __init__(self, config: ReproduceConfig, web: Collection, out: Path, *, log: Log = lambda line: None) -> None:
        """Choose the questions; no stage runs yet.

        Args:
            config: Everything that decides the results, apart from the web.
            web: The documentation to browse, which the questions are made from.
            out: Folder of the stages; an interrupted run in it is resumed.
            log: Called with each progress message, a line of text.

        Raises:
            UsageError: The web has no questions of one of the splits.
        """
        self.config, self.web, self.log = config, web, log
        self.folders = Folders.of(out)
        amounts = config.amounts
        self.bc_questions = self._questions("bc", amounts.demonstrated)
        self.rm_questions = self._questions("rm", amounts.compared)
        self.other_questions = self._questions("rm", amounts.others)
        self.rl_questions = self._questions("rl", None)
        self.test_questions = self._questions("test", amounts.tested)

    def _questions(self, split: Split, limit: int | None) -> tuple[Question, ...]:
        questions = PythonDocsQuestions(self.web).questions(split)[:limit]
        if not questions:
            raise UsageError(f"{self.web.name} has no questions of the split {split}; pass a collection with more modules")
        return questions

    def run(self) -> None:
        """Run every stage that is not done.

        Raises:
            UsageError: The folder is of another configuration, or another process is using it.
        """
        self.folders.root.mkdir(parents=True, exist_ok=True)
        with lock_folder(self.folders.root):
            begin_run(self.folders.root, self.config)
            self._run_stages()

    def _run_stages(self) -> None:
        folders = self.folders
        run = Stages(on_begin=self._log_stage).run
        demonstrated = run(folders.demonstrations, self._inputs(), self._demonstrate)
        cloned = run(folders.cloned, {"demonstrations": demonstrated, "base": model_digest(self.config.base)}, self._clone)
        answered = run(folders.answers, {"policy": cloned}, self._sample_answers)
        compared = run(folders.comparisons, {"demonstrations": demonstrated, "answers": answered}, self._label)
        learned_from = {"policy": cloned, "comparisons": compared}
        reward = run(
            folders.reward_model, learned_from, partial(self._train_reward_model, folders.reward_model, REWARD_MODEL_PART)
        )
        validation = run(
            folders.validation_reward_model,
            learned_from,
            partial(self._train_reward_model, folders.validation_reward_model, VALIDATION_PART),
        )
        improved = run(folders.ppo, {"policy": cloned, "reward_model": reward}, self._improve)
        tested = run(folders.tested, {"cloned": cloned, "ppo": improved}, self._test)
        samples_cloned = run(folders.samples_cloned, {"policy": cloned}, partial(self._sample, "cloned"))
        samples_ppo = run(folders.samples_ppo, {"policy": improved}, partial(self._sample, "ppo"))
        judges = {"reward_model": reward, "validation_reward_model": validation, "comparisons": compared}
        run(folders.scores, {"tested": tested, "samples": [samples_cloned, samples_ppo], **judges}, self._score)

    def _inputs(self) -> dict[str, object]:
        """Inputs of the first stage, which all stages depend on."""
        return {
            "config": asdict(self.config),
            "web": self.web.name,
            "questions": [
                digest(part)
                for part in (self.bc_questions, self.rm_questions, self.other_questions, self.rl_questions, self.test_questions)
            ],
        }

    def _log_stage(self, name: str, is_done: bool) -> None:
        self.log(f"{name}: {'already done' if is_done else 'running'}")

    # ------------------------------------------------------------------------------------------- demonstrations, cloning

    def _demonstrate(self) -> None:
        """Demonstrate (`webgpt demonstrate`), from the start even after an interrupt, so that the order is reproducible."""
        path, seed = self.folders.demonstration_file, self.config.seed
        path.unlink(missing_ok=True)
        seeds = range(seed, seed + self.config.amounts.demonstrations_each)
        number = add_demonstrations(
            path, self.web, self.bc_questions, self.config.settings, noise=self.config.noise, seeds=seeds
        )
        self.log(f"  {number:,} demonstrations of {len(self.bc_questions):,} questions")

    def _clone(self) -> None:
        """Clone the demonstrations (`webgpt train bc`)."""

        def log(evaluation: CloningEvaluation) -> None:
            self.log(f"  step {evaluation.step:,}: score {evaluation.score}, held-out loss {evaluation.held_out_loss}")

        config, out = self.config.cloning(self.folders), model_folder(self.folders.cloned)
        report = clone(config, out, backend=self.web, on_evaluation=log)
        self.log(f"  {report.rows:,} steps of episodes, {report.steps:,} optimizer steps, score {report.score}")

    # ------------------------------------------------------------------------------------------ comparisons, reward models

    def _sample_answers(self) -> None:
        """Sample answers of the cloned policy to compare (`webgpt sample`)."""
        policy = self._policy("cloned", temperature=self.config.compared_temperature)
        self._add_samples(self.folders.answer_file, policy, self.rm_questions, self.config.amounts.answers_each)

    def _label(self) -> None:
        """Rate the same pairs by two labelers, whose agreement is measured, and by the gold labeler (`webgpt label`)."""
        folders, seed = self.folders, self.config.seed
        labeler = Labeler(seed)
        pairs = list(draw_pairs(read_episodes(folders.answer_file), self.config.amounts.pairs_each, seed))
        if not pairs:
            raise UsageError("no question has two different answers to compare; sample more of them")
        for path, rater in (
            (folders.comparison_file, labeler),
            (folders.second_rating_file, Labeler(seed + 1)),
            (folders.gold_comparison_file, Labeler(seed, error=0.0)),
        ):
            add_comparisons(path, pairs, rater, seed=seed)
        self.log(f"  {len(pairs):,} comparisons of {len({first.question.id for first, _ in pairs}):,} questions")
        more = demonstrations(self.web, self.other_questions, self.config.settings, noise=self.config.noise, seed=seed)
        others = [*draw_others(read_episodes(folders.demonstration_file), seed), *draw_others(more, seed)]
        add_comparisons(folders.other_comparison_file, others, labeler, seed=seed)
        self.log(f"  {len(others):,} comparisons with answers to other questions")

    def _train_reward_model(self, folder: Path, part: str) -> None:
        """Train a reward model on one part of the questions (`webgpt train rm`)."""
        report = train_reward_model(self.config.reward_model(self.folders, part), model_folder(folder))
        accuracy = report.figures.accuracy
        quality = f"accuracy {accuracy.mean:.1%}" if accuracy else "every held-out pair is a tie"
        self.log(f"  {report.groups:,} comparisons, {quality}")

    # ----------------------------------------------------------------------------------------------------------------- PPO

    def _improve(self) -> None:
        """Improve the cloned policy (`webgpt train ppo`)."""
        result = train_ppo(
            model_folder(self.folders.ppo),
            policy=str(model_folder(self.folders.cloned)),
            reward_model=str(model_folder(self.folders.reward_model)),
            backend=self.web,
            questions=self.rl_questions,
            questions_name="pydoc:rl",
            config=self.config.ppo(),
            zero_value=self.config.amounts.ppo_group > 1,  # rewards relative to the mean of a group are 0 at first
            gold=lambda episodes: [gold_score_of(episode) for episode in episodes],
            callbacks=PPOCallbacks(on_iteration=lambda metrics, example: self.log(f"  {metrics.line()}")),
        )
        self.log(f"  {result.iterations} iterations, stopped by {result.stopped_by}")

    # --------------------------------------------------------------------------------------------- tests, samples, scores

    def _test(self) -> None:
        """Measure every policy on the split test (`webgpt bench`)."""
        seed = self.config.seed
        config: dict[str, Json] = {"questions": "pydoc:test", "policies": list(TESTED), "seed": seed, "backend": self.web.name}
        with Benchmark.open(self.folders.benchmark, self.test_questions, config) as benchmark:
            for name in TESTED:
                policy, settings = self._tested_policy(name)
                benchmark.run(policy, self.web, settings, seed=seed, batch_size=self.config.batch_size, name=name)
                gold = [gold_score_of(episode) for episode in benchmark.episodes(name)]
                self.log(f"  {name}: gold score {sum(gold) / len(gold):.3f}")
            benchmark.write_table(benchmark.score(TESTED, Lexical()))

    def _tested_policy(self, name: Tested) -> tuple[Policy, Settings]:
        match name:
            case "cloned" | "ppo":
                return self._policy(name), self.config.settings
            case "cloned greedy":
                return self._policy("cloned", temperature=0.0), self.config.settings
            case "cloned free":
                return self._policy("cloned", free=True), self.config.settings
            case "ppo greedy":
                return self._policy("ppo", temperature=0.0), self.config.settings
            case "scripted":
                return Scripted(), Settings()
            case "search-only":
                return SearchOnly(), Settings()
            case _:
                assert_never(name)

    def _policy(self, name: Trained, *, temperature: float | None = None, free: bool = False) -> LanguageModel:
        return LanguageModel.load(
            str(model_folder(self.folders.cloned if name == "cloned" else self.folders.ppo)),
            name=name,
            options=SamplingOptions(
                temperature=self.config.temperature if temperature is None else temperature,
                free=free,
                max_command_tokens=self.config.max_command_tokens,
                max_answer_tokens=self.config.max_answer_tokens,
            ),
        )

    def _sample(self, name: Trained) -> None:
        """Sample episodes of a policy for best-of-n (`webgpt sample`)."""
        amounts, policy = self.config.amounts, self._policy(name)
        self._add_samples(self.folders.sample_file(name), policy, self.test_questions[: amounts.sampled], amounts.samples)
        if amounts.deep_samples > amounts.samples and name == "cloned":
            path = self.folders.sample_file(name, deep=True)
            self._add_samples(path, policy, self.test_questions[: amounts.deep], amounts.deep_samples)

    def _add_samples(self, path: Path, policy: Policy, questions: Sequence[Question], number: int) -> None:
        """Sample the missing episodes, then put the file in the order of questions and samples."""
        seed = self.config.seed
        samples = Samples(path, policy, self.web, self.config.settings, seed)
        samples.begin({"policy": policy.name, "seed": seed, "backend": self.web.name})
        samples.run(questions, number, 0, self.config.batch_size, progress=self._log_samples)
        seeds = {sample_seed(seed, sample): sample for sample in range(number)}
        order = {question.id: index for index, question in enumerate(questions)}
        episodes = sorted(read_episodes(path), key=lambda episode: (order[episode.question.id], seeds[episode.seed or 0]))
        write_atomically(path, "".join(f"{record_line(episode)}\n" for episode in episodes))

    @contextmanager
    def _log_samples(self, description: str, total: int, done: int) -> Iterator[Callable[[], None]]:
        """Log every `EPISODES_PER_MESSAGE` episodes; see `agent.rollouts.sampling.ShowProgress`."""
        numbers = count(done + 1)

        def advance() -> None:
            number = next(numbers)
            if number % EPISODES_PER_MESSAGE == 0:
                self.log(f"  {number:,} of {total:,} episodes")

        yield advance

    def _score(self) -> None:
        score_episodes(self.folders)
        measure_agreement(self.config, self.folders)
