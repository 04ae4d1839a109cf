"""Any causal language model of transformers as a policy, in this process.

The text of the observation is the prompt and a command is what the model writes up to the end of the line, an answer what it
writes up to ``◼`` (the paper's end of a field) or its own end-of-text token. Every row of a batch has its own random numbers,
drawn from its prompt's seed before the first token, so a sample depends on its prompt alone; what is left is the rounding of
differently shaped matrices, 1e-6 in float32 and more in bfloat16. Log-probabilities are those of the distribution that was
sampled, temperature and limits included, which is what a policy gradient needs.

Commands are held to what the environment can do (`agent.decoding.constraint`) unless the policy is *free*, as the paper's was.

Torch and transformers are imported when a model is loaded or used, not with this module.
"""

import inspect
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.models.completion_limits import Bounds, TokenPrompt, end_tokens, phase_of
from agent.models.folder import load_settings, model_source, short_name
from agent.policy import Completion, Prompt
from browser_env.errors import PolicyError, UsageError
from browser_env.pages.characters import clean_line
from browser_env.records import Settings
from browser_env.state import BrowserState

MAX_PADDING = 4_096
"""Tokens of padding in a batch; what more of it costs to read would pay for a batch more."""

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from agent.decoding.constraint import Feasible, Walk


class LanguageModel:
    """A `Policy` over a model and its tokenizer."""

    def __init__(
        self,
        model: Any,  # transformers' own classes: naming their types would import it, and they are duck-typed there too
        tokenizer: Any,
        *,
        name: str,
        temperature: float = 0.8,
        max_command_tokens: int = 256,
        max_answer_tokens: int = 512,
        free: bool = False,
        settings: Settings | None = None,
    ) -> None:
        """Take a model as it is: on its device, in its precision.

        Args:
            model: Any causal language model with a key-value cache.
            tokenizer: Its tokenizer.
            name: What records call it.
            temperature: The logits are divided by it; 0 is greedy, which has no log-probabilities.
            max_command_tokens: See `Bounds`, like the next.
            max_answer_tokens: See there.
            free: Write anything, not just what the environment can do.
            settings: Of the episodes that it was trained on; None: unknown.

        Raises:
            UsageError: Its tokenizer is of a kind that cannot be held to anything; a free one may be of any.
        """
        self.name = name
        self.settings = settings
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.temperature = temperature
        self.bounds = Bounds(
            tokenizer=tokenizer,
            end_tokens=end_tokens(model.generation_config, tokenizer),
            context=getattr(model.config.get_text_config(), "max_position_embeddings", None),
            max_command_tokens=max_command_tokens,
            max_answer_tokens=max_answer_tokens,
        )
        self._inputs = frozenset(inspect.signature(model.forward).parameters)
        self.feasible = None if free else _feasible(model, tokenizer, self.bounds.end_tokens)
        """What commands are held to; None: nothing."""

    @classmethod
    def load(
        cls,
        path_or_id: str,
        *,
        name: str | None = None,
        temperature: float = 0.8,
        max_command_tokens: int = 256,
        max_answer_tokens: int = 512,
        free: bool = False,
        device: str | None = None,
        dtype: "torch.dtype | None" = None,
    ) -> "LanguageModel":
        """Load a model from a folder or the Hugging Face hub.

        Args:
            path_or_id: The folder, or the name on the hub.
            name: What records call it; None: ``hf:`` and the name or the last part of the path, with ``free`` behind it if
                it is.
            temperature: See above, like the next two.
            max_command_tokens: See above.
            max_answer_tokens: See above.
            free: See above.
            device: As torch names it; None: CUDA where there is one, or else the CPU.
            dtype: None: bfloat16 where the device computes in it, or else float32.

        Raises:
            UsageError: torch and transformers are not installed, there is no such model, or it can only be free.
        """
        asked = name or f"hf:{path_or_id}"
        try:
            import torch
            from safetensors import SafetensorError
            from transformers import AutoModelForCausalLM, AutoTokenizer
            from transformers.utils.logging import disable_progress_bar
        except ImportError as error:
            raise UsageError(f"{asked} needs torch and transformers: pip install 'open-webgpt[train]'") from error
        source = model_source(f"hf:{path_or_id}")
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        disable_progress_bar()  # type: ignore[no-untyped-call]  # it hides what is said here
        if place.type == "cpu":  # advice to install kernels that only run on GPUs
            logging.getLogger("transformers.integrations.hub_kernels").setLevel(logging.ERROR)
        try:
            tokenizer = AutoTokenizer.from_pretrained(source)
            model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=dtype or fast_dtype(place))
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise UsageError(
                f"{asked} is no causal language model that can be loaded: {clean_line(str(error))[:300]}"
            ) from error
        own_name = f"hf:{short_name(source)}"
        return cls(
            model.to(place),
            tokenizer,
            name=name or (f"{own_name} free" if free else own_name),
            temperature=temperature,
            max_command_tokens=max_command_tokens,
            max_answer_tokens=max_answer_tokens,
            free=free,
            settings=load_settings(Path(source)),
        )

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        rows = [self._row(prompt) for prompt in prompts]
        for batch in _batches([row for row in rows if isinstance(row, _Row)]):
            self._generate(batch)
        return [row if isinstance(row, PolicyError) else self._completion(row) for row in rows]

    def allowed_along(
        self, state: BrowserState, prompt_length: int, token_ids: Sequence[int]
    ) -> "list[NDArray[np.int64] | None]":
        """The tokens among which each token of a completion was chosen, to compute its log-probabilities again.

        Args:
            state: That it was written in.
            prompt_length: Tokens of its prompt.
            token_ids: Of the completion.

        Returns:
            For each token the ids that were allowed, in order, or None for all of them, as for each of a free policy. Where the
            completion is not what this policy could have written, it is taken for free from there on.
        """
        if self.feasible is None:
            return [None] * len(token_ids)
        return self.feasible.allowed_along(state, token_ids, self.bounds.max_tokens(phase_of(state), prompt_length))

    def _row(self, prompt: Prompt) -> "_Row | PolicyError":
        asked = self.bounds.begin(prompt, self.name)
        if isinstance(asked, PolicyError):
            return asked
        return _Row(asked, None if self.feasible is None else self.feasible.begin(prompt.state))

    def _generate(self, rows: Sequence["_Row"]) -> None:
        """Write to every row until each has ended. Rows that have are dropped from the batch.

        A prompt that several rows have is read once.
        """
        import torch

        from agent.decoding.constraint import rule_out

        if not rows:
            return
        device = self.model.device
        longest = max(self.bounds.max_command_tokens, self.bounds.max_answer_tokens)
        uniforms = torch.stack([_uniforms(row.asked.seed, longest) for row in rows]).to(device)
        numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(tuple(row.asked.ids) for row in rows))}
        places = [numbers[tuple(row.asked.ids)] for row in rows]
        input_ids, mask = _padded_left([*numbers], device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        shared = torch.tensor(places, device=device) if len(numbers) < len(rows) else None
        cache: Any = None
        going = list(rows)
        with torch.inference_mode():
            while going:
                inputs = {"attention_mask": mask, "position_ids": positions, "past_key_values": cache, "logits_to_keep": 1}
                accepted = {key: value for key, value in inputs.items() if key in self._inputs}
                output = self.model(input_ids=input_ids, use_cache=True, **accepted)
                cache = output.past_key_values
                logits = output.logits[:, -1]
                if shared is not None:
                    cache.reorder_cache(shared)
                    logits, mask, positions = logits[shared], mask[shared], positions[shared]
                    shared = None
                drawn = uniforms[:, len(going[0].tokens)]
                tokens, logprobs = choose(rule_out(logits, [row.allowed() for row in going]), self.temperature, drawn)
                for row, token, logprob in zip(going, tokens.tolist(), logprobs.tolist(), strict=True):
                    row.write(token, logprob)
                staying = [index for index, row in enumerate(going) if not self.bounds.has_ended(row.asked, row.tokens)]
                if 0 < len(staying) < len(going):
                    index = torch.tensor(staying, device=device)
                    cache.reorder_cache(index)  # it selects as well, and unlike batch_select_indices every kind of layer has it
                    mask, positions, tokens, uniforms = mask[index], positions[index], tokens[index], uniforms[index]
                going = [going[index] for index in staying]
                input_ids = tokens[:, None]
                mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=-1)
                positions = positions[:, -1:] + 1

    def _completion(self, row: "_Row") -> Completion | PolicyError:
        if not all(map(math.isfinite, row.logprobs)):
            return PolicyError(
                f"{self.name} gives probabilities that are not numbers; if it runs in float16, load it in float32"
            )
        text = self.bounds.text(row.asked, row.tokens)
        return Completion(text, token_ids=tuple(row.tokens), logprobs=tuple(row.logprobs) if self.temperature else None)


@dataclass
class _Row:
    """One completion in the making."""

    asked: TokenPrompt
    walk: "Walk | None"
    """What it is held to."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)

    def allowed(self) -> "NDArray[np.int64] | None":
        """The tokens that may come next; None: any."""
        return None if self.walk is None else self.walk.allowed(self.asked.max_tokens - len(self.tokens))

    def write(self, token: int, logprob: float) -> None:
        """Add a token."""
        self.tokens.append(token)
        self.logprobs.append(logprob)
        if self.walk is not None:
            self.walk.advance(token)


def _batches(rows: Sequence[_Row]) -> "Iterator[list[_Row]]":
    """Rows of about the same length together, so that a single long prompt does not pad all the others to its length."""
    batch: list[_Row] = []
    read = 0
    for row in sorted(rows, key=lambda row: len(row.asked.ids)):
        if batch and len(batch) * len(row.asked.ids) - read > MAX_PADDING:
            yield batch
            batch, read = [], 0
        batch.append(row)
        read += len(row.asked.ids)
    if batch:
        yield batch


def choose(logits: "Tensor", temperature: float, uniforms: "Tensor") -> tuple["Tensor", "Tensor"]:
    """One token for each row, by inverting the cumulative distribution at a uniform number.

    Args:
        logits: Shape (B, V).
        temperature: 0: the most probable token.
        uniforms: In [0, 1), shape (B,).

    Returns:
        Tokens and their log-probabilities in nats under softmax(logits / temperature), both of shape (B,).
    """
    logprobs = (logits.float() / (temperature or 1.0)).log_softmax(-1)
    if temperature == 0:
        tokens = logprobs.argmax(-1)
    else:
        cumulative = logprobs.exp().cumsum(-1)
        # "<=" steps over tokens of probability 0
        tokens = (cumulative <= uniforms[:, None] * cumulative[:, -1:]).sum(-1).clamp(max=logits.shape[-1] - 1)
    return tokens, logprobs.gather(-1, tokens[:, None])[:, 0]


def fast_dtype(device: "torch.device") -> "torch.dtype":
    """bfloat16 where the device has instructions for it (AMX or AVX-512 BF16 on a CPU); elsewhere it is slower than float32."""
    import torch

    if device.type == "cuda":
        is_fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
        is_fast = any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))
    return torch.bfloat16 if is_fast else torch.float32


def _uniforms(seed: int, number: int) -> "Tensor":
    """Drawn on the CPU, so that every device samples alike."""
    import torch

    return torch.rand(number, generator=torch.Generator().manual_seed(seed))


def _padded_left(prompts: Sequence[Sequence[int]], device: "torch.device") -> tuple["Tensor", "Tensor"]:
    """Token ids and attention mask, shape (B, longest prompt). What stands under the mask is never looked at."""
    import torch

    width = max(map(len, prompts))
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros(len(prompts), width, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)


def _feasible(model: Any, tokenizer: Any, end_tokens: frozenset[int]) -> "Feasible":
    from agent.decoding.constraint import Feasible
    from agent.decoding.token_trie import Vocabulary

    return Feasible(Vocabulary(tokenizer, model.config.get_text_config().vocab_size, end_tokens))
