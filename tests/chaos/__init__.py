"""Faults on purpose: what was published is compared with what was computed and what can be read."""
