"""Classifiers and denoisers, by reference."""
