"""A `Policy` over any causal language model of transformers, in this process.

The observation is the prompt. A command is sampled up to the end of its line, an answer up to ``◼`` (the paper's end of a
field) or the model's end-of-text token. Every prompt has its own random numbers, drawn from its seed before the first token, so
a sample does not depend on the batch, except for rounding in differently shaped matrix products (1e-6 in float32, more in
bfloat16). Log-probabilities are those of the sampled distribution, temperature and constraint included, as a policy gradient
needs.

Decoding is constrained (`agent.decoding.constraint`) unless the policy is *free*, as the paper's is.

torch and transformers are imported when a model is loaded or used, not with this module.
"""

import inspect
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.models.completion_limits import CompletionLimits, SamplingOptions, TokenPrompt, end_tokens, phase_of
from agent.models.folder import load_settings, model_source, short_name
from agent.models.pretrained import default_device, fast_dtype, load_errors
from agent.policy import Completion, Prompt
from browser_env.errors import PolicyError, UsageError
from browser_env.records import Settings
from browser_env.state import BrowserState

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from agent.decoding.constraint import Constraint, ConstraintState
    from agent.decoding.token_trie import TokenIds

MAX_PADDING = 4_096
"""Maximum number of padding tokens in a batch; computing more takes longer than another batch."""


class LanguageModel:
    """A `Policy` over a model and its tokenizer."""

    def __init__(
        self,
        model: Any,  # classes of transformers: importing them for their types would take seconds
        tokenizer: Any,
        *,
        name: str,
        options: SamplingOptions | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Wrap a model as it is, on its device and in its precision.

        Args:
            model: A causal language model with a key-value cache.
            tokenizer: The model's tokenizer.
            name: Name of the policy in records.
            options: Sampling options. Default: `SamplingOptions()`.
            settings: Settings of the episodes that the model was trained on, if known.

        Raises:
            UsageError: The tokenizer does not support constrained decoding, and the options do not disable it.
        """
        options = options or SamplingOptions()
        self.name = name
        self.settings = settings
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.temperature = options.temperature
        self.limits = CompletionLimits(
            tokenizer=tokenizer,
            end_tokens=end_tokens(model.generation_config, tokenizer),
            context=getattr(model.config.get_text_config(), "max_position_embeddings", None),
            max_command_tokens=options.max_command_tokens,
            max_answer_tokens=options.max_answer_tokens,
        )
        self.constraint = None if options.free else _constraint(model, tokenizer, self.limits.end_tokens)
        """The constraint on completions; None if decoding is free."""
        self._parameters = frozenset(inspect.signature(model.forward).parameters)

    @classmethod
    def load(
        cls,
        path_or_id: str,
        *,
        name: str | None = None,
        options: SamplingOptions | None = None,
        device: str | None = None,
        dtype: "torch.dtype | None" = None,
    ) -> "LanguageModel":
        """Load a model from a folder or the Hugging Face hub.

        Args:
            path_or_id: Folder or hub id.
            name: Name of the policy in records. Default: ``hf:`` and the folder's name or the hub id, then ``free`` if decoding
                is free.
            options: Sampling options. Default: `SamplingOptions()`.
            device: Name of a torch device. Default: CUDA if it is available, otherwise the CPU.
            dtype: Precision of the weights. Default: bfloat16 if the device has instructions for it, otherwise float32.

        Raises:
            UsageError: torch or transformers is not installed, the model does not exist, or its tokenizer does not support
                constrained decoding.
        """
        options = options or SamplingOptions()
        model, tokenizer, source = _load(path_or_id, name or f"hf:{path_or_id}", device, dtype)
        default_name = f"hf:{short_name(source)}" + (" free" if options.free else "")
        return cls(model, tokenizer, name=name or default_name, options=options, settings=load_settings(Path(source)))

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        generations = [self._generation(prompt) for prompt in prompts]
        for batch in _batches([generation for generation in generations if isinstance(generation, Generation)]):
            self.generate(batch)
        return [
            generation if isinstance(generation, PolicyError) else self._completion(generation) for generation in generations
        ]

    def allowed_tokens(self, state: BrowserState, prompt_length: int, token_ids: Sequence[int]) -> "list[TokenIds | None]":
        """The allowed tokens at each token of a completion, to compute its log-probabilities again.

        Args:
            state: The browser state that the completion was sampled in.
            prompt_length: Number of tokens of the prompt.
            token_ids: The completion.

        Returns:
            Token ids for each token, or None where all tokens were allowed: if decoding is free, and from the first token on
            that the constraint does not allow.
        """
        if self.constraint is None:
            return [None] * len(token_ids)
        return self.constraint.allowed_tokens(state, token_ids, self.limits.max_tokens(phase_of(state), prompt_length))

    def generate(self, generations: "Sequence[Generation]") -> None:
        """Sample all completions of a batch to their ends, and store the tokens in them."""
        import torch

        from agent.decoding.constraint import mask_logits

        max_tokens = max(self.limits.max_command_tokens, self.limits.max_answer_tokens)
        with torch.inference_mode():
            batch = _Batch(self.model, self._parameters, generations, max_tokens)
            while batch.rows:
                logits = mask_logits(batch.next_logits(), [row.allowed_tokens() for row in batch.rows])
                tokens, logprobs = sample(logits, self.temperature, batch.next_uniforms())
                for row, token, logprob in zip(batch.rows, tokens.tolist(), logprobs.tolist(), strict=True):
                    row.append(token, logprob)
                unfinished = [
                    index for index, row in enumerate(batch.rows) if not self.limits.has_ended(row.prompt, row.tokens)
                ]
                batch.append(tokens, unfinished)

    def _generation(self, prompt: Prompt) -> "Generation | PolicyError":
        token_prompt = self.limits.encode(prompt, self.name)
        if isinstance(token_prompt, PolicyError):
            return token_prompt
        return Generation(token_prompt, None if self.constraint is None else self.constraint.start(prompt.state))

    def _completion(self, generation: "Generation") -> Completion | PolicyError:
        if not all(map(math.isfinite, generation.logprobs)):
            return PolicyError(f"{self.name} computes probabilities that are not numbers; if it runs in float16, use float32")
        return Completion(
            self.limits.decode(generation.prompt, generation.tokens),
            token_ids=tuple(generation.tokens),
            logprobs=tuple(generation.logprobs) if self.temperature else None,
        )


@dataclass
class Generation:
    """One completion in progress."""

    prompt: TokenPrompt
    constraint_state: "ConstraintState | None"
    """State of constrained decoding. None if decoding is free."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)

    def allowed_tokens(self) -> "TokenIds | None":
        """The tokens that may come next; None: all."""
        if self.constraint_state is None:
            return None
        return self.constraint_state.allowed_tokens(self.prompt.max_tokens - len(self.tokens))

    def append(self, token: int, logprob: float) -> None:
        """Add a sampled token."""
        self.tokens.append(token)
        self.logprobs.append(logprob)
        if self.constraint_state is not None:
            self.constraint_state.advance(token)


class _Batch:
    """The tensors of a batch. A prompt that several rows share is computed once; rows that have ended are removed."""

    def __init__(self, model: Any, parameters: frozenset[str], rows: Sequence[Generation], max_tokens: int) -> None:
        import torch

        self.rows = list(rows)
        self._model = model
        self._parameters = parameters
        self._uniforms = torch.stack([_uniforms(row.prompt.seed, max_tokens) for row in rows]).to(model.device)
        prompts = [tuple(row.prompt.ids) for row in rows]
        index_of = {prompt: index for index, prompt in enumerate(dict.fromkeys(prompts))}
        self._input_ids, self._mask = _pad_left([*index_of], model.device)
        self._positions = (self._mask.cumsum(-1) - 1).clamp(min=0)
        self._prompt_of_row: Tensor | None = None
        """Index of each row's prompt, while the cache has an entry for each prompt rather than for each row."""
        if len(index_of) < len(rows):
            self._prompt_of_row = torch.tensor([index_of[prompt] for prompt in prompts], device=model.device)
        self._cache: Any = None

    def next_logits(self) -> "Tensor":
        """Logits of the next token of each row, shape (B, V)."""
        inputs = {
            "attention_mask": self._mask,
            "position_ids": self._positions,
            "past_key_values": self._cache,
            "logits_to_keep": 1,
        }
        accepted = {name: value for name, value in inputs.items() if name in self._parameters}
        output = self._model(input_ids=self._input_ids, use_cache=True, **accepted)
        self._cache = output.past_key_values
        logits: Tensor = output.logits[:, -1]
        if self._prompt_of_row is not None:
            logits = logits[self._prompt_of_row]
            self._select(self._prompt_of_row)
            self._prompt_of_row = None
        return logits

    def next_uniforms(self) -> "Tensor":
        """A random number in [0, 1) for the next token of each row, shape (B,)."""
        return self._uniforms[:, len(self.rows[0].tokens)]

    def append(self, tokens: "Tensor", unfinished: list[int]) -> None:
        """Add a token to each row, shape (B,), and keep the rows with the given indices."""
        import torch

        if 0 < len(unfinished) < len(self.rows):
            index = torch.tensor(unfinished, device=tokens.device)
            self._select(index)
            tokens, self._uniforms = tokens[index], self._uniforms[index]
        self.rows = [self.rows[index] for index in unfinished]
        self._input_ids = tokens[:, None]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), 1)], dim=-1)
        self._positions = self._positions[:, -1:] + 1

    def _select(self, index: "Tensor") -> None:
        # reorder_cache also selects, and unlike batch_select_indices it exists for every kind of layer.
        self._cache.reorder_cache(index)
        self._mask, self._positions = self._mask[index], self._positions[index]


def _batches(generations: Sequence[Generation]) -> Iterator[list[Generation]]:
    """Batches of prompts of similar length, so that one long prompt does not pad all others to its length."""
    batch: list[Generation] = []
    num_tokens = 0
    for generation in sorted(generations, key=lambda generation: len(generation.prompt.ids)):
        length = len(generation.prompt.ids)
        if batch and len(batch) * length - num_tokens > MAX_PADDING:
            yield batch
            batch, num_tokens = [], 0
        batch.append(generation)
        num_tokens += length
    if batch:
        yield batch


def sample(logits: "Tensor", temperature: float, uniforms: "Tensor") -> tuple["Tensor", "Tensor"]:
    """Sample a token for each row by inverting the cumulative distribution at a uniform random number.

    Args:
        logits: Shape (B, V).
        temperature: Sampling temperature; 0: take the most probable token.
        uniforms: Random numbers in [0, 1), shape (B,).

    Returns:
        Tokens and their log-probabilities in nats under softmax(logits / temperature), both of shape (B,).
    """
    logprobs = (logits.float() / (temperature or 1.0)).log_softmax(-1)
    if temperature == 0:
        tokens = logprobs.argmax(-1)
    else:
        cumulative = logprobs.exp().cumsum(-1)
        # "<=" skips tokens of probability 0.
        tokens = (cumulative <= uniforms[:, None] * cumulative[:, -1:]).sum(-1).clamp(max=logits.shape[-1] - 1)
    return tokens, logprobs.gather(-1, tokens[:, None])[:, 0]


def _load(path_or_id: str, name: str, device: str | None, dtype: "torch.dtype | None") -> tuple[Any, Any, str]:
    """A model on its device, its tokenizer, and the folder or hub id that they came from."""
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar

        place = default_device(device)
    except ImportError as error:
        raise UsageError(f"{name} needs torch and transformers: make install EXTRAS=train") from error
    source = model_source(f"hf:{path_or_id}")
    disable_progress_bar()  # type: ignore[no-untyped-call]  # it would overwrite the program's own progress lines
    if place.type == "cpu":  # silences advice to install kernels that only run on GPUs
        logging.getLogger("transformers.integrations.hub_kernels").setLevel(logging.ERROR)
    with load_errors(f"{name} cannot be loaded as a causal language model"):
        tokenizer = AutoTokenizer.from_pretrained(source)
        model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=dtype or fast_dtype(place))
    return model.to(place), tokenizer, source


def _uniforms(seed: int, count: int) -> "Tensor":
    """Random numbers, drawn on the CPU so that every device samples alike."""
    import torch

    return torch.rand(count, generator=torch.Generator().manual_seed(seed))


def _pad_left(prompts: Sequence[Sequence[int]], device: "torch.device") -> tuple["Tensor", "Tensor"]:
    """Token ids and attention mask of prompts, shape (B, longest prompt)."""
    import torch

    width = max(map(len, prompts))
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros(len(prompts), width, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)


def _constraint(model: Any, tokenizer: Any, end_tokens: frozenset[int]) -> "Constraint":
    from agent.decoding.constraint import Constraint
    from agent.decoding.token_trie import TokenTrie

    return Constraint(TokenTrie(tokenizer, model.config.get_text_config().vocab_size, end_tokens))
