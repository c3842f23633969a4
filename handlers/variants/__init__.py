"""Variants of an advertisement's words: from a language model when one is set, else from a grammar."""
