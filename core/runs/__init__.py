"""Evaluations that are kept: the store of runs, and going on with what a stop left."""
