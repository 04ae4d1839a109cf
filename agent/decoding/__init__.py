"""Constrained decoding: an automaton of the commands that are valid in a browser state, over the tokens of a tokenizer."""
