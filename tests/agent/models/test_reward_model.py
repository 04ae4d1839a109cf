import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig

from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.reward_model import (
    Normalization,
    RewardModelScore,
    answering_text,
    last_outputs,
    length_batches,
    load_normalization,
    save_normalization,
    scored_ids,
)
from agent.models.scalar_model import load_scalar_model
from agent.models.tokens import completion_ids, prompt_ids
from agent.policy import Completion
from agent.rollouts.best_of_n import best_of_n
from agent.rollouts.rollout import rollout
from agent.score import Scored
from browser_env.backends import FakeBackend
from browser_env.errors import UsageError
from browser_env.pages.page import Page
from browser_env.records import Question, Reference, Settings

REFERENCE = Reference(title="Crows", url="http://a.org/crows", extract="Crows bring gifts.", page="0", start=0, end=18)
ITEMS = [
    Scored("What do crows do?", (REFERENCE,), "Crows bring gifts [1]."),
    Scored("What do crows do?", (REFERENCE, REFERENCE), "They sing."),
    Scored("Why?", (), ""),
    Scored("What do crows do?" + " Why?" * 30, (), "Crows " * 20),
]


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random reward model."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("reward")
    load_scalar_model(str(tiny_model)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    save_normalization(folder, Normalization(shift=0.5, scale=2.0))
    return folder


def test_a_reward_model_reads_the_observation_the_answer_and_its_end(tiny_model: Path) -> None:
    class FixedReplies:
        name = "fixed"

        def complete(self, prompts: Any) -> list[Completion]:
            texts = ("Search crows", "Quote: Crows bring", "End: Answer", " Crows bring gifts [1].")
            return [Completion(texts[p.state.actions_taken]) for p in prompts]

    web = FakeBackend([Page("http://a.org/crows", "Crows", "Crows bring gifts.")])
    (episode,) = rollout(FixedReplies(), web, [Question(id="q", text="What do crows do?")], Settings())
    item = Scored.of(episode)
    assert item == Scored("What do crows do?", episode.references, " Crows bring gifts [1].")
    assert answering_text(item.question, item.references) == episode.steps[-1].observation
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    expected = prompt_ids(tokenizer, episode.steps[-1].observation)
    assert scored_ids(tokenizer, item) == [*expected, *completion_ids(tokenizer, "Crows bring gifts [1].", "answering")]
    assert str(tokenizer.decode(scored_ids(tokenizer, item))).endswith("[1].◼")


def test_without_references_the_text_is_the_question() -> None:
    assert answering_text(" Why? ", ()) == "Why?◼"


def test_a_score_is_the_normalized_output_at_the_last_token(folder: Path) -> None:
    score = RewardModelScore.load(folder, device="cpu", name="mine")
    assert score.name == "mine"
    for item, value in zip(ITEMS, score(ITEMS), strict=True):
        with torch.inference_mode():
            output = score.model(torch.tensor([scored_ids(score.tokenizer, item)])).logits[0, 0].item()
        assert value == pytest.approx((output - 0.5) / 2, abs=1e-4)
    assert score([]) == []


def test_a_score_does_not_depend_on_its_batch(folder: Path) -> None:
    scores = [RewardModelScore.load(folder, device="cpu", batch_tokens=tokens)(ITEMS) for tokens in (1, 200, 100_000)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4) and scores[0] == pytest.approx(scores[2], abs=1e-4)
    assert len(set(scores[0])) == len(ITEMS)


def test_outputs_equal_those_of_transformers_pooling(folder: Path) -> None:
    model = load_scalar_model(str(folder)).eval()
    model.config.pad_token_id = 2
    texts = [[5, 6, 7], [8, 9, 10, 11, 12], [13]]
    padded = torch.tensor([[*text, *[2] * (5 - len(text))] for text in texts])
    with torch.inference_mode():
        torch.testing.assert_close(last_outputs(model, texts), model(padded).logits[:, 0], atol=1e-5, rtol=0)


def test_batches_contain_every_text_once_and_respect_the_limit() -> None:
    lengths = [3, 50, 7, 7, 20, 1]
    batches = length_batches(lengths, 21)
    assert sorted(index for batch in batches for index in batch) == list(range(6))
    assert batches[0] == [1]  # longer than any batch: alone
    assert all(len(batch) * max(lengths[index] for index in batch) <= 21 for batch in batches[1:])


def test_a_reward_model_chooses_among_the_samples_of_a_language_model(folder: Path, tiny_model: Path) -> None:
    policy = LanguageModel.load(
        str(tiny_model), options=SamplingOptions(max_command_tokens=8, max_answer_tokens=8), device="cpu", dtype=torch.float32
    )
    web = FakeBackend([Page("http://a.org/crows", "Crows", "Crows bring gifts.")])
    asked = [Question(id="q", text="What do crows do?")]
    (episode,) = best_of_n(policy, web, asked, Settings(max_actions=2), RewardModelScore.load(folder, device="cpu"), 3)
    assert episode.question == asked[0]


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda folder: (folder / "config.json").unlink(), "is not the folder of a reward model"),
        (
            lambda folder: LlamaConfig(architectures=["LlamaForCausalLM"]).save_pretrained(folder),
            "is not the folder of a reward model",
        ),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"1"), "cannot be loaded as a reward model"),
        (lambda folder: (folder / "reward.json").write_text("{"), r"reward\.json does not contain a shift and a scale"),
        (
            lambda folder: (folder / "reward.json").write_text('{"scale": 0}'),
            r"reward\.json does not contain a shift and a scale",
        ),
        (
            lambda folder: (folder / "reward.json").write_text('{"gain": 1}'),
            r"reward\.json does not contain a shift and a scale",
        ),
    ],
    ids=["empty", "a policy", "broken weights", "no JSON", "no scale", "another key"],
)
def test_a_folder_without_a_reward_model_is_an_error(spoil: Any, problem: str, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    spoil(copy)
    with pytest.raises(UsageError, match=problem):
        RewardModelScore.load(copy, device="cpu")


def test_a_normalization_is_saved_and_loaded(tmp_path: Path) -> None:
    assert load_normalization(tmp_path) == Normalization()
    save_normalization(tmp_path, Normalization(-1.25, 3.0))
    assert load_normalization(tmp_path) == Normalization(-1.25, 3.0)
    assert json.loads((tmp_path / "reward.json").read_text()) == {"shift": -1.25, "scale": 3.0}


def test_scores_need_neither_trl_nor_torch_until_a_model_is_loaded() -> None:
    program = "import sys, agent.score, agent.rollouts.best_of_n; print(sorted({'torch', 'trl', 'transformers'} & sys.modules.keys()))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
