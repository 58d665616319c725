"""Choosing models: bundled ones, the Hub's, and those that were trained here."""
