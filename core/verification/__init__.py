"""Checking a certificate that somebody hands over: its arithmetic, its picture, its models, its sampling."""
