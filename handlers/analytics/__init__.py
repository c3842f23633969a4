"""Arithmetic of estimates and time series; the standard library alone."""
