"""Certificates compared: the same pictures in every mode."""
