"""A tokenizer in which a word is the same tokens wherever it stands.

Browsing is mostly copying: a name out of the question into a search, a find that must equal a heading, a sentence of a page
into a quote. With a usual byte-level BPE ``copytree`` is one thing at the start of a line, another behind a space and a third
behind a dot, and a small model has to learn for every word that they are the same. Here every word (a run of letters and
digits) begins with a mark, the one space between two words is left out, and whatever else stands between words is spelled
out; so ``os.path is`` is ``▸os`` ``.`` ``▸path`` ``▸is``. Nothing is lost: decoding puts the space back where two words meet.
"""

import re
import string
from collections.abc import Iterable
from typing import TYPE_CHECKING

from browser_env.pages.characters import ELLIPSIS_BAR, END_OF_FIELD, LINK_CLOSE, LINK_FIELD, LINK_OPEN, SECTION

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MARK = "\x02"
"""Stands in front of every word. A page never holds it: `browser_env.pages.characters.clean` removes control characters."""
PAD, END = "<|pad|>", "<|end|>"
"""Padding is not the end: a reward is read at the last token that is no padding."""
WORD = r"[\p{L}\p{N}]"
SEPARATORS = f" \n{string.punctuation}{SECTION}{ELLIPSIS_BAR}{END_OF_FIELD}{LINK_OPEN}{LINK_FIELD}{LINK_CLOSE}‘’“”…–—•→"
"""What a word is marked behind. Behind anything else (rare) it stands without its mark."""


def train_tokenizer(texts: Iterable[str], vocab_size: int = 4096, max_length: int = 2048) -> "PreTrainedTokenizerFast":
    """Train byte-level BPE on some texts.

    Args:
        texts: What the model will read and write.
        vocab_size: Tokens, the two special ones and all 256 bytes included.
        max_length: Tokens that the model reads, as the tokenizer tells others.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(rf"(?<={WORD}) (?={WORD})"), MARK),
            # One rule a character, since a replacement cannot name what it replaces and inserting at a place crashes.
            *(normalizers.Replace(Regex(rf"{re.escape(mark)}(?={WORD})"), mark + MARK) for mark in SEPARATORS),
            normalizers.Prepend(MARK),
        ]
    )
    # Words apart from each other and from what stands between them. Line breaks begin a piece of their own with the
    # indentation behind them; the marks of the observation are cheap because they are frequent.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(rf"{MARK}{WORD}+|\n *|[^\p{{L}}\p{{N}}\n{MARK}]+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.ByteLevel(),
            decoders.Fuse(),
            decoders.Replace(Regex(rf"(?<={WORD}){MARK}"), " "),
            decoders.Replace(MARK, ""),
        ]
    )
    special = [AddedToken(PAD, special=True), AddedToken(END, special=True)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        max_token_length=24,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
        padding_side="right",
    )
