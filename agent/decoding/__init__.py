"""Constrained decoding: the automaton of commands that can be carried out on a page, over the tokenizer's vocabulary."""
