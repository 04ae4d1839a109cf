"""A tokenizer that encodes a word as the same tokens in every position.

Browsing is mostly copying: a name from the question into a search, a heading into a find, a sentence of a page into a
quote. A usual byte-level BPE encodes ``copytree`` in one way at the start of a line, in another after a space and in a
third after a dot, and a small model has to learn for every word that they are the same. Here every word (a run of letters
and digits) begins with a mark, a single space between two words is left out, and any other text between words is spelled
out: ``os.path is`` becomes ``▸os`` ``.`` ``▸path`` ``▸is``. The encoding is lossless: decoding restores the space where two
words meet.
"""

import re
import string
from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from browser_env.pages.characters import ELLIPSIS_BAR, END_OF_FIELD, LINK_CLOSE, LINK_FIELD, LINK_OPEN, SECTION

MARK = "\x02"
"""First character of every word. Pages never contain it: `browser_env.pages.characters.clean` removes control characters."""
PAD, END = "<|pad|>", "<|end|>"
"""Special tokens. Padding differs from the end because a reward is read at the last token that is not padding."""
WORD = r"[\p{L}\p{N}]"
"""Regular expression of a character of a word."""
SEPARATORS = f" \n{string.punctuation}{SECTION}{ELLIPSIS_BAR}{END_OF_FIELD}{LINK_OPEN}{LINK_FIELD}{LINK_CLOSE}‘’“”…–—•→"
"""Characters after which a word is marked. After any other character, which is rare, a word has no mark."""
MAX_TOKEN_LENGTH = 24
"""Maximum length of a token in bytes."""


def train_tokenizer(texts: Iterable[str], vocab_size: int = 4096, max_length: int = 2048) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer.

    Args:
        texts: Samples of the text that the model will read and write.
        vocab_size: Number of tokens, including the two special tokens and all 256 bytes.
        max_length: Context length of the model in tokens, saved with the tokenizer.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = _pre_tokenizer()
    tokenizer.decoder = _decoder()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[AddedToken(PAD, special=True), AddedToken(END, special=True)],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        max_token_length=MAX_TOKEN_LENGTH,
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


def _normalizer() -> normalizers.Normalizer:
    """Marks the words and removes the single spaces between them."""
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(rf"(?<={WORD}) (?={WORD})"), MARK),
            # One rule for each separator, since a replacement cannot refer to the match and inserting at a position crashes.
            *(normalizers.Replace(Regex(rf"{re.escape(mark)}(?={WORD})"), mark + MARK) for mark in SEPARATORS),
            normalizers.Prepend(MARK),
        ]
    )


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    """Splits words from each other and from the text between them; a line break starts a piece, with the indentation after it.

    The marks of the observation become single tokens because they are frequent.
    """
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(rf"{MARK}{WORD}+|\n *|[^\p{{L}}\p{{N}}\n{MARK}]+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _decoder() -> decoders.Decoder:
    """Restores the spaces between words and removes the other marks."""
    return decoders.Sequence(
        [
            decoders.ByteLevel(),
            decoders.Fuse(),
            decoders.Replace(Regex(rf"(?<={WORD}){MARK}"), " "),
            decoders.Replace(MARK, ""),
        ]
    )
