import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.models.completion_limits import SamplingOptions
from agent.models.folder import save_settings
from agent.models.language_model import LanguageModel, sample
from agent.models.tokens import prompt_ids
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import rollout
from browser_env.actions import Invalid, parse_action
from browser_env.backends import FakeBackend
from browser_env.env import BrowserEnv
from browser_env.errors import PolicyError, UsageError
from browser_env.pages.page import Page
from browser_env.records import Question, Settings

CROWS = Page("http://a.org/crows", "Crows", "Crows bring gifts to people.\n\nThey are birds.")
QUESTIONS = [Question(id=str(number), text="What do crows do?" + " Why?" * number) for number in range(5)]
CONTEXT = 1024


@pytest.fixture
def folder(tiny_model: Path) -> Path:
    return tiny_model


def load(folder: Path, name: str | None = None, **options: Any) -> LanguageModel:
    sampling = SamplingOptions(**{"max_command_tokens": 24, **options})
    return LanguageModel.load(str(folder), name=name, options=sampling, dtype=torch.float32, device="cpu")


def prompts(*seeds: int) -> list[Prompt]:
    """Prompts of different lengths, one for each seed."""
    batch = []
    for number, seed in enumerate(seeds):
        env = BrowserEnv(FakeBackend([CROWS]))
        batch.append(Prompt(env.reset(QUESTIONS[number % len(QUESTIONS)]), env.state, seed))
    return batch


def completed(model: LanguageModel, batch: Sequence[Prompt]) -> list[Completion]:
    completions = model.complete(batch)
    assert all(isinstance(completion, Completion) for completion in completions)
    return completions  # type: ignore[return-value]


def forward(model: LanguageModel, prompt: Prompt, completion: Completion) -> torch.Tensor:
    """Log-probabilities of a completion's tokens by one forward pass without padding."""
    assert completion.token_ids is not None
    ids = prompt_ids(model.tokenizer, prompt.text)
    with torch.inference_mode():
        logits: torch.Tensor = model.model(torch.tensor([[*ids, *completion.token_ids]])).logits[0, len(ids) - 1 : -1]
    logprobs = (logits / model.temperature).log_softmax(-1)
    return logprobs.gather(-1, torch.tensor(completion.token_ids)[:, None])[:, 0]


def test_a_sample_does_not_depend_on_its_batch(folder: Path) -> None:
    model = load(folder)
    batch = prompts(1, 2, 3, 4, 5)
    together = completed(model, batch)
    assert [c.token_ids for c in together] == [completed(model, [prompt])[0].token_ids for prompt in batch]
    assert [c.token_ids for c in together] == [c.token_ids for c in completed(model, batch[::-1])][::-1]
    assert len({len(c.token_ids or ()) for c in together}) > 1  # rows ended at different times


def test_logprobs_of_a_free_policy_equal_those_of_a_forward_pass(folder: Path) -> None:
    model = load(folder, temperature=0.8, free=True)
    batch = prompts(1, 2, 3, 4, 5)
    for prompt, completion in zip(batch, completed(model, batch), strict=True):
        assert completion.logprobs is not None
        torch.testing.assert_close(torch.tensor(completion.logprobs), forward(model, prompt, completion), atol=1e-4, rtol=0)


def test_a_shared_prompt_is_computed_once_and_completed_as_if_alone(folder: Path) -> None:
    model = load(folder, max_answer_tokens=24)
    num_inputs: list[int] = []
    forward = model.model.forward

    def counting(**inputs: Any) -> object:
        num_inputs.append(inputs["input_ids"].numel())
        return forward(**inputs)

    alone = [model.complete([prompt])[0] for prompt in (prompts(1)[0], *[answering(seed) for seed in range(6)])]
    model.model.forward = counting
    together = completed(model, [*prompts(1), *[answering(seed) for seed in range(6)]])
    for expected, completion in zip(alone, together, strict=True):
        assert isinstance(expected, Completion)
        assert (expected.text, expected.token_ids) == (completion.text, completion.token_ids)
        assert expected.logprobs == pytest.approx(completion.logprobs, abs=1e-4)
    assert len({c.token_ids for c in together[1:]}) > 3
    longest = max(len(prompt_ids(model.tokenizer, prompt.text)) for prompt in (prompts(1)[0], answering()))
    assert num_inputs[0] == 2 * longest


def test_prompts_of_very_different_lengths_are_batched_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(folder, max_answer_tokens=24)
    batch = [*prompts(1, 2, 3), *[answering(seed) for seed in range(3)]]
    together = completed(model, batch)
    num_inputs: list[int] = []
    forward = model.model.forward

    def counting(**inputs: Any) -> object:
        if inputs["past_key_values"] is None:
            num_inputs.append(inputs["input_ids"].numel())
        return forward(**inputs)

    monkeypatch.setattr("agent.models.language_model.MAX_PADDING", 0)
    model.model.forward = counting
    apart = completed(model, batch)
    assert [c.token_ids for c in apart] == [c.token_ids for c in together]
    assert sum(num_inputs) == sum(len(ids) for ids in {tuple(prompt_ids(model.tokenizer, prompt.text)) for prompt in batch})
    assert len(num_inputs) > 1


@pytest.fixture(scope="module")
def hybrid() -> torch.nn.Module:
    """A model with convolutions and attention layers, which have different caches."""
    from transformers import Lfm2Config, Lfm2ForCausalLM

    torch.manual_seed(0)
    config = Lfm2Config(
        vocab_size=400,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        layer_types=["conv", "full_attention", "conv"],
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=0,
        eos_token_id=1,
        initializer_range=0.4,
    )
    return Lfm2ForCausalLM(config)


def test_every_kind_of_cache_is_shared_and_filtered(folder: Path, hybrid: torch.nn.Module) -> None:
    tokenizer = load(folder).tokenizer
    model = LanguageModel(
        hybrid, tokenizer, name="hybrid", options=SamplingOptions(max_command_tokens=24, max_answer_tokens=24)
    )
    batch = [*prompts(1, 2, 3), *[answering(seed) for seed in range(4)]]
    together = completed(model, batch)
    assert [c.token_ids for c in together] == [completed(model, [prompt])[0].token_ids for prompt in batch]
    assert len({len(c.token_ids or ()) for c in together}) > 1
    for prompt, completion in zip(batch, together, strict=True):
        allowed = model.allowed_tokens(prompt.state, len(prompt_ids(tokenizer, prompt.text)), completion.token_ids or ())
        assert all(ids is not None for ids in allowed)


def test_commands_are_valid_unless_the_policy_is_free(folder: Path) -> None:
    def invalid(free: bool) -> int:
        texts = [c.text for c in completed(load(folder, free=free), [prompts(seed)[0] for seed in range(8)])]
        return sum(isinstance(parse_action(text), Invalid) for text in texts)

    assert invalid(free=False) == 0
    assert invalid(free=True) > 4


def test_a_policy_has_the_settings_that_it_was_trained_on(folder: Path, tmp_path: Path) -> None:
    assert load(folder).settings is None
    trained = tmp_path / "trained"
    shutil.copytree(folder, trained)
    settings = Settings(view_height=12, max_actions=30)
    save_settings(trained, settings)
    assert load(trained).settings == settings


def test_the_seed_determines_the_sample(folder: Path) -> None:
    model = load(folder)
    same = [completed(model, prompts(7))[0] for _ in range(2)]
    assert same[0] == same[1]
    assert len({c.token_ids for c in completed(model, [prompts(seed)[0] for seed in range(8)])}) > 4


def test_temperature_0_is_greedy_decoding(folder: Path) -> None:
    model = load(folder, temperature=0, free=True)
    batch = prompts(1, 2, 3)
    for prompt, completion in zip(batch, completed(model, batch), strict=True):
        assert completion.logprobs is None
        assert completion.token_ids is not None
        ids = torch.tensor([model.tokenizer(prompt.text)["input_ids"]])
        expected = model.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=len(completion.token_ids), pad_token_id=1
        )
        assert completion.token_ids == tuple(expected[0, ids.shape[1] :].tolist())


ENDINGS = [
    ("line", "browsing", "Search crows\nEnd: Answer", "Search crows", "\n"),
    ("end-of-text", "browsing", "Search crows</s>Top", "Search crows", "</s>"),
    ("end-of-field-in-a-command", "browsing", "Quote: a◼b\nTop", "Quote: a◼b", "\n"),
    ("field", "answering", "Crows\nbring gifts [1].◼ And more", "Crows\nbring gifts [1].", "◼"),
    ("end-of-text-of-an-answer", "answering", "Gifts [1].</s>", "Gifts [1].", "</s>"),
]


@pytest.mark.parametrize(
    ("phase", "written", "text", "ending"), [case[1:] for case in ENDINGS], ids=[case[0] for case in ENDINGS]
)
def test_a_completion_ends_with_its_stop(folder: Path, phase: str, written: str, text: str, ending: str) -> None:
    model = load(folder, free=True)
    tokens = model.tokenizer(written, add_special_tokens=False)["input_ids"]
    model.model.forward = FixedTokens(model.model.forward, tokens)
    [prompt] = prompts(0) if phase == "browsing" else [answering()]
    completion = completed(model, [prompt])[0]
    assert completion.text == text
    assert completion.token_ids == tuple(tokens[: len(completion.token_ids or ())])
    assert model.tokenizer.decode(completion.token_ids) == text + ending


def answering(seed: int = 0) -> Prompt:
    env = BrowserEnv(FakeBackend([CROWS]))
    env.reset(QUESTIONS[0])
    for command in ("Search crows", "Clicked on link 0", "Quote: bring gifts", "End: Answer"):
        observation = env.step(command).observation
    return Prompt(observation, env.state, seed)


def test_commands_and_answers_have_separate_limits(folder: Path) -> None:
    model = load(folder, max_command_tokens=5, max_answer_tokens=9, free=True)
    model.model.forward = FixedTokens(model.model.forward, [50] * 9)
    command, answer = completed(model, [*prompts(0), answering()])
    assert (len(command.token_ids or ()), len(answer.token_ids or ())) == (5, 9)


class FixedTokens:
    """A model's forward pass with logits that give fixed tokens, one after the other."""

    def __init__(self, forward: object, tokens: list[int]) -> None:
        self.forward = forward
        self.tokens = iter(tokens)

    def __call__(self, *args: object, **kwargs: object) -> object:
        output = self.forward(*args, **kwargs)  # type: ignore[operator]
        output.logits = torch.full_like(output.logits, -1e9)
        output.logits[..., next(self.tokens)] = 0.0
        return output


def test_a_prompt_that_is_too_long_is_an_error_in_its_place(folder: Path) -> None:
    model = load(folder)
    env = BrowserEnv(FakeBackend([CROWS]))
    long = Prompt(env.reset("Why? " * 1_000), env.state, 0)
    first, second, third = model.complete([*prompts(1), long, *prompts(1)])
    assert isinstance(second, PolicyError)
    assert "tokens, but the context of" in str(second)
    assert "is 1,024 tokens" in str(second)
    assert "--view-height" in str(second)
    assert first == third


def test_a_prompt_that_nearly_fills_the_context_gets_a_short_completion(folder: Path) -> None:
    model = load(folder, temperature=0)
    [prompt] = prompts(0)
    length = len(model.tokenizer(prompt.text)["input_ids"])
    padding = " crows" * (CONTEXT - 3 - length)
    filled = Prompt(prompt.text + padding, prompt.state, 0)
    while len(model.tokenizer(filled.text)["input_ids"]) > CONTEXT - 3:
        filled = Prompt(filled.text[:-1], prompt.state, 0)
    room = CONTEXT - len(model.tokenizer(filled.text)["input_ids"])
    assert len(completed(model, [filled])[0].token_ids or ()) <= room


def test_special_tokens_on_a_page_are_plain_text(folder: Path) -> None:
    model = load(folder)
    [prompt] = prompts(0)
    encoded = model.limits.encode(Prompt(prompt.text + "</s>", prompt.state, 0), model.name)
    assert not isinstance(encoded, PolicyError)
    assert encoded.ids.count(0) == 1
    assert 1 not in encoded.ids


def test_probabilities_that_are_not_numbers_are_an_error(folder: Path) -> None:
    model = load(folder)
    with torch.no_grad():
        model.model.lm_head.weight.fill_(float("nan"))
    [error] = model.complete(prompts(0))
    assert isinstance(error, PolicyError)
    assert "not numbers" in str(error)


def test_no_prompts_give_no_completions(folder: Path) -> None:
    assert load(folder).complete([]) == []


def test_episodes_do_not_depend_on_the_batch_size(folder: Path) -> None:
    model = load(folder, max_command_tokens=6)

    def commands(batch_size: int) -> dict[str, list[str]]:
        episodes = rollout(model, FakeBackend([CROWS]), QUESTIONS, Settings(max_actions=3), batch_size=batch_size)
        return {episode.question.id: [step.completion for step in episode.steps] for episode in episodes}

    assert commands(1) == commands(3) == commands(16)


CHOICES = [
    ("first", 0.0, 0),
    ("below-the-border", 0.2499, 0),
    ("at-the-border", 0.25, 1),
    ("middle", 0.7, 1),
    ("last", 0.99, 3),
    ("largest", 1 - 2**-24, 3),
]


@pytest.mark.parametrize(("uniform", "token"), [case[1:] for case in CHOICES], ids=[case[0] for case in CHOICES])
def test_sampling_inverts_the_cumulative_distribution(uniform: float, token: int) -> None:
    logits = torch.tensor([[0.25, 0.5, 0.0, 0.25]]).log()
    tokens, logprobs = sample(logits, 1.0, torch.tensor([uniform]))
    assert tokens.tolist() == [token]
    torch.testing.assert_close(logprobs, logits[:, token])


def test_a_lower_temperature_sharpens_the_distribution() -> None:
    logits = torch.tensor([[0.25, 0.75]]).log()
    _, logprobs = sample(logits, 0.5, torch.tensor([0.0]))
    torch.testing.assert_close(logprobs.exp(), torch.tensor([0.1]))  # .0625 / (.0625 + .5625)


def test_a_model_is_named_by_its_folder(folder: Path) -> None:
    assert load(folder).name == f"hf:{folder.name}"
    assert load(folder, free=True).name == f"hf:{folder.name} free"
    assert load(folder, name="mine").name == "mine"


def test_a_folder_without_a_model_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not a folder with a model"):
        LanguageModel.load(str(tmp_path))


def test_the_error_of_a_model_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no-such-model"}))
    with pytest.raises(UsageError, match="cannot be loaded as a causal language model") as caught:
        LanguageModel.load(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_the_error_of_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match="make install EXTRAS=train"):
        LanguageModel.load(str(folder))
