import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from agent.models.completion_limits import SamplingOptions
from agent.models.folder import load_settings
from agent.models.language_model import LanguageModel
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import rollout
from browser_env.backends import FakeBackend
from browser_env.errors import UsageError
from browser_env.pages.page import Page
from browser_env.records import Episode, Evidence, Question, Settings
from browser_env.records.storage import append_record
from browser_env.state import BrowserState
from training.base_model.tokenizer import train_tokenizer
from training.behavior_cloning.config import OPTIMIZATION, CloningConfig
from training.behavior_cloning.data import StepSource, parse_demonstrations, split
from training.behavior_cloning.evaluation import episode_score
from training.behavior_cloning.report import CloningEvaluation
from training.behavior_cloning.train import clone
from training.supervised.batches import padded_rows
from training.supervised.loop import Progress
from training.supervised.optimization import Optimization
from training.supervised.rows import Row
from training.supervised.token_losses import predicts_label, token_losses

SETTINGS = Settings(view_width=40, view_height=4, max_actions=6)
GIFTS = {"crows": "bring gifts", "owls": "hunt at night", "ducks": "swim in ponds", "larks": "sing at dawn"}
WEB = FakeBackend([Page(f"http://a.org/{bird}", bird.title(), f"{bird.title()} {does}.") for bird, does in GIFTS.items()])


class Demonstrating:
    """Searches the bird of the question, quotes what it does, and says so."""

    name = "human:demonstrating"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return [Completion(self._say(prompt)) for prompt in prompts]

    def _say(self, prompt: Prompt) -> str:
        bird = next(bird for bird in GIFTS if bird in prompt.state.question.text)
        if prompt.state.phase == "answering":
            return f"{bird.title()} {GIFTS[bird]} [1]."
        return (f"Search {bird}", f"Quote: {bird.title()} {GIFTS[bird]}", "End: Answer")[prompt.state.actions_taken]


def question(number: int) -> Question:
    bird = [*GIFTS][number % len(GIFTS)]
    evidence = (Evidence(url=f"http://a.org/{bird}", sentences=(f"{bird.title()} {GIFTS[bird]}.",)),)
    return Question(
        id=str(number),
        text=f"{('What', 'Tell me what', 'Say what')[number % 3]} {bird} do{'?' * (number // 12)}",
        evidence=evidence,
    )


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    torch.set_num_threads(1)
    return list(rollout(Demonstrating(), WEB, [question(number) for number in range(20)], SETTINGS))


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory: pytest.TempPathFactory, episodes: list[Episode]) -> Path:
    path = tmp_path_factory.mktemp("demonstrations") / "birds.jsonl"
    for episode in episodes:
        append_record(path, episode)
    return path


def tokenizer(episodes: Sequence[Episode]) -> Any:
    texts = [f"{step.observation}{step.completion}" for episode in episodes for step in episode.steps]
    return train_tokenizer(texts, vocab_size=400, max_length=512)


def save(folder: Path, episodes: Sequence[Episode], context: int = 512) -> Path:
    made = tokenizer(episodes)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(made),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        bos_token_id=None,
        eos_token_id=made.eos_token_id,
        pad_token_id=made.pad_token_id,
        tie_word_embeddings=True,
        initializer_range=0.1,  # wide enough for attention to be learned in a few hundred steps
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, episodes: list[Episode]) -> Path:
    return save(tmp_path_factory.mktemp("base"), episodes)


def config(base: Path, *demonstrations: object, **options: Any) -> CloningConfig:
    options = {"batch_size": 16, "epochs": 1.0, "weights": "float32", "eval_questions": 0, **options}
    nested = {field.name: options.pop(field.name) for field in fields(Optimization) if field.name in options}
    optimization = replace(OPTIMIZATION, **nested)
    return CloningConfig(base=str(base), demonstrations=tuple(map(str, demonstrations)), optimization=optimization, **options)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_model_learns_to_browse_like_its_demonstrations(base: Path, demonstrations: Path, tmp_path: Path) -> None:
    out = tmp_path / "cloned"
    seen: list[CloningEvaluation] = []
    steps: list[Progress] = []
    made = config(
        base, demonstrations, epochs=30, learning_rate=8e-3, eval_questions=4, eval_every=75, held_out=0.2, patience=None
    )
    report = clone(made, out, backend=WEB, on_evaluation=seen.append, on_progress=steps.append)
    assert report.losses[-1][1] < 0.1 * report.losses[0][1]
    policy = LanguageModel.load(
        str(out), options=SamplingOptions(temperature=0, free=True, max_command_tokens=40), dtype=torch.float32, device="cpu"
    )
    asked = [replace(question(number), id=f"again-{number}") for number in range(4)]
    for episode in rollout(policy, WEB, asked, SETTINGS):
        expected = next(rollout(Demonstrating(), WEB, [episode.question], SETTINGS))
        assert [step.completion.strip() for step in episode.steps] == [step.completion for step in expected.steps]
        assert episode_score(episode) == 1
    assert load_settings(out) == SETTINGS
    # the result is the best average of all that were judged, and everything judged was told
    assert [one.step for one in report.evaluations] == [one.step for one in seen]
    assert report.score == max(one.score or 0 for one in seen) == 1
    assert report.best_step == max(one.step for one in seen if one.score == report.score)
    assert steps[-1].step == steps[-1].max_steps == report.steps
    # and it is not done twice
    assert clone(made, out, backend=WEB) == report
    with pytest.raises(UsageError, match="learning_rate"):
        clone(replace(made, optimization=replace(made.optimization, learning_rate=1.0)), out)


@pytest.mark.parametrize("kind", [(LlamaConfig, LlamaForCausalLM), (Qwen2Config, Qwen2ForCausalLM)], ids=["llama", "qwen2"])
def test_the_loss_of_labelled_positions_is_the_loss_of_all(kind: Any) -> None:
    torch.manual_seed(1)
    sizes = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    model = kind[1](kind[0](**sizes, num_attention_heads=2, num_key_value_heads=1)).eval()
    rows = [Row((1, 2, 3), (4, 5)), Row((7,), (8, 9, 10, 11)), Row((3, 4, 5, 6, 7, 8), (9,))]
    batch = padded_rows(rows)
    mask = torch.tensor([[position < len(row.ids) for position in range(7)] for row in rows]).long()
    full = model(input_ids=batch["input_ids"], attention_mask=mask, labels=batch["labels"])
    losses = token_losses(model, batch)
    assert len(losses) == sum(len(row.completion) for row in rows) == int(predicts_label(batch["labels"]).sum())
    torch.testing.assert_close(losses.mean(), full.loss)
    ours, theirs = (torch.autograd.grad(loss, list(model.parameters())) for loss in (losses.mean(), full.loss))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    # and a row's weight multiplies its losses
    weighted = token_losses(
        model, padded_rows([replace(row, weight=weight) for row, weight in zip(rows, (2, 0, 1), strict=True)])
    )
    torch.testing.assert_close(weighted, losses * torch.tensor([2.0] * 2 + [0.0] * 4 + [1.0]))
    # as a token's multiplies its own
    chosen = token_losses(model, padded_rows([replace(rows[0], token_weights=(5.0, 1.0)), *rows[1:]]))
    torch.testing.assert_close(chosen, losses * torch.tensor([5.0] + [1.0] * 6))


def test_the_weight_of_a_file_decides_what_is_learned(base: Path, episodes: list[Episode], tmp_path: Path) -> None:
    """Two files say different things to the same questions; the heavier one is heard."""
    said = {}
    for name, answer in (("yes", "Yes [1]."), ("no", "No [1].")):
        for episode in episodes[:8]:
            changed = (*episode.steps[:-1], replace(episode.steps[-1], completion=answer))
            append_record(tmp_path / f"{name}.jsonl", replace(episode, steps=changed[-1:]))
    for heavy, light in (("yes", "no"), ("no", "yes")):
        files = (f"{tmp_path / heavy}.jsonl:9", f"{tmp_path / light}.jsonl:1")
        out = tmp_path / f"more-{heavy}"
        clone(config(base, *files, epochs=12, learning_rate=4e-3, held_out=0.0), out)
        policy = LanguageModel.load(
            str(out), options=SamplingOptions(temperature=0, free=True, max_answer_tokens=8), dtype=torch.float32, device="cpu"
        )
        state = BrowserState(episodes[0].question, SETTINGS, references=episodes[0].references, ending="answer")
        (completion,) = policy.complete([Prompt(episodes[0].steps[-1].observation, state, 0)])
        assert isinstance(completion, Completion)
        said[heavy] = completion.text
    assert said == {"yes": "Yes [1].", "no": "No [1]."}


KILLED = """
    import os, signal, sys, torch
    from pathlib import Path
    torch.set_num_threads(1)
    from training.behavior_cloning.config import CloningConfig
    from training.behavior_cloning.train import clone
    from training.supervised.optimization import Optimization
    base, demonstrations, out = sys.argv[1:]
    def kill(progress):
        if progress.step == 9:
            os.kill(os.getpid(), signal.SIGKILL)
    optimization = Optimization(learning_rate=1e-3, batch_size=8, micro_batch_size=4, epochs=2, max_steps=14, save_every=4)
    config = CloningConfig(base=base, demonstrations=(demonstrations,), optimization=optimization, eval_every=3,
                           eval_questions=0, weights="float32", replaced=0.5, copying_every=3)
    clone(config, Path(out), evaluate=lambda model: float(next(model.parameters()).detach()[0, 0]), on_progress=kill)
"""


def test_a_killed_run_goes_on_and_ends_as_one_that_was_not(base: Path, demonstrations: Path, tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), base, demonstrations, tmp_path / "killed"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    checkpoints = tmp_path / "killed" / "run" / "checkpoints"
    assert {path.name for path in checkpoints.iterdir()} == {"checkpoint-4", "checkpoint-8"}
    (checkpoints / "checkpoint-8" / "averages.safetensors").unlink()  # as if it had been killed while it wrote this one
    sizes = {"batch_size": 8, "micro_batch_size": 4, "max_steps": 14, "epochs": 2, "save_every": 4}
    made = config(base, demonstrations, **sizes, eval_every=3, replaced=0.5, copying_every=3)

    def judge(model: Any) -> float:
        return float(next(model.parameters()).detach()[0, 0])

    first: list[int] = []
    resumed = clone(made, tmp_path / "killed", evaluate=judge, on_progress=lambda progress: first.append(progress.step))
    whole = clone(made, tmp_path / "whole", evaluate=judge)
    assert first[0] == 4
    assert resumed.losses == whole.losses
    assert [(one.step, one.score) for one in resumed.evaluations] == [(one.step, one.score) for one in whole.evaluations]
    ours, theirs = weights(tmp_path / "killed"), weights(tmp_path / "whole")
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], atol=0, rtol=0, msg=name)
    assert not checkpoints.exists()


@pytest.mark.parametrize(
    ("judged", "best"),
    [([0.2, 0.5, 0.4, 0.5, 0.9], 3), ([0.2, 0.5, 0.42, 0.3, 0.9], 2), ([0.2, 0.5, 0.41, 0.3, 0.9], 1)],
    ids=["equal", "less than a standard error below", "more"],
)
def test_training_stops_when_the_score_gets_no_better(
    base: Path, demonstrations: Path, tmp_path: Path, judged: list[float], best: int
) -> None:
    scores = iter(judged)
    kept: list[torch.Tensor] = []

    def judge(model: Any) -> float:
        kept.append(next(model.parameters()).detach().clone())
        assert not model.training
        return next(scores)

    made = config(base, demonstrations, epochs=20, eval_every=2, patience=2, eval_questions=36)
    report = clone(made, tmp_path / "stopped", evaluate=judge)
    assert [one.step for one in report.evaluations] == [2, 4, 6, 8]
    assert (report.best_step, report.score, report.steps) == (2 * best + 2, judged[best], 8)
    # what was kept is the last average of those that cannot be told from the best
    torch.testing.assert_close(weights(tmp_path / "stopped")["model.embed_tokens.weight"], kept[best], atol=0, rtol=0)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft calls it by its old name
def test_adapters_are_trained_merged_and_loaded(base: Path, demonstrations: Path, tmp_path: Path) -> None:
    out = tmp_path / "adapted"
    made = config(base, demonstrations, lora_rank=8, epochs=8, learning_rate=3e-2)
    report = clone(made, out)
    assert report.losses[-1][1] < 0.8 * report.losses[0][1]
    assert not list(out.glob("adapter*"))
    loaded = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    before = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    changed = {name for name, value in loaded.named_parameters() if not torch.equal(value, before.get_parameter(name))}
    assert "model.layers.0.mlp.up_proj.weight" in changed and "model.embed_tokens.weight" not in changed
    assert LanguageModel.load(str(out)).complete  # a policy like any other


def test_a_step_that_the_model_cannot_read_whole_is_refused(
    episodes: list[Episode], demonstrations: Path, tmp_path: Path
) -> None:
    small = save(tmp_path / "small", episodes, context=64)
    with pytest.raises(UsageError, match=r"\d+ of \d+ steps of the demonstrations are longer than the 64 tokens"):
        clone(config(small, demonstrations), tmp_path / "out")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("missing.jsonl", "there is no file missing.jsonl"),
        ("missing.jsonl:2", "there is no file missing.jsonl"),
        ("{file}:0", "expected a weight above 0"),
        ("{file}:nan", "expected a weight above 0"),
        ("{file}:x", "there is no file"),
    ],
)
def test_a_wrong_file_of_demonstrations_is_told(spec: str, problem: str, demonstrations: Path) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_demonstrations(spec.format(file=demonstrations))


def test_a_file_is_given_with_or_without_its_weight(demonstrations: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd:2"
    odd.touch()
    assert parse_demonstrations(str(demonstrations)) == (demonstrations, 1.0)
    assert parse_demonstrations(f"{demonstrations}:0.25") == (demonstrations, 0.25)
    assert parse_demonstrations(str(odd)) == (odd, 1.0)
    assert parse_demonstrations(f"{odd}:3") == (odd, 3.0)


def test_questions_are_held_out_with_all_their_demonstrations(episodes: list[Episode]) -> None:
    twice = [(episode, 1.0) for episode in [*episodes, *episodes]]
    learned, held_out = split(twice, 0.25, seed=3)
    texts = [{episode.question.text for episode, _ in part} for part in (learned, held_out)]
    assert not texts[0] & texts[1] and len(learned) + len(held_out) == len(twice)
    assert 0 < len(held_out) < len(learned)
    assert split(twice[::-1], 0.25, seed=3)[1][::-1] == held_out
    assert split(twice, 0.0, seed=3) == (twice, [])
    assert split(twice[:1], 0.5, seed=3) == (twice[:1], [])  # one question: it is learned


def test_examples_are_changed_anew_in_every_epoch_and_alike_in_every_process(episodes: list[Episode]) -> None:
    def augment(episode: Episode, draw: random.Random) -> Episode:
        assert len(episode.steps) == 1
        word = draw.choice(["herons", "storks", "geese"])
        return replace(episode, steps=(replace(episode.steps[0], completion=f"Search {word}"),))

    made = tokenizer(episodes)
    sources = [
        StepSource([(episode, 1.0) for episode in episodes], made, context=512, name="it", augment=augment, seed=seed)
        for seed in (0, 0, 1)
    ]
    rows = [[[source.row(index, epoch) for index in range(20)] for epoch in (0, 1)] for source in sources]
    assert rows[0] == rows[1] != rows[2]
    assert rows[0][0] != rows[0][1]
    plain = StepSource([(episode, 1.0) for episode in episodes], made, context=512, name="it")
    assert sources[0].lengths == plain.lengths == [len(plain.row(index, 5).ids) for index in range(len(plain.lengths))]
    assert {plain.row(index, 0).token_weights for index in range(20)} == {()}


def test_tokens_that_choose_count_more_and_all_together_as_much(episodes: list[Episode]) -> None:
    made = tokenizer(episodes)
    source = StepSource([(episode, 1.0) for episode in episodes], made, context=512, name="it", choice_weight=5)
    rows = [source.row(index, 0) for index in range(len(source.lengths))]
    assert {len(set(row.token_weights)) for row in rows} == {1, 2}
    weights = [row.weight * one for row in rows for one in row.token_weights]
    assert sum(weights) / len(weights) == pytest.approx(1)
