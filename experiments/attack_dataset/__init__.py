"""Certified against attacked radius over a data set, and violations counted."""
