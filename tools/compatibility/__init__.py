"""Fails on a change of a schema that would break a publisher or a reader."""
