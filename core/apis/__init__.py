"""Remote vision APIs as base classifiers: every query costs money, so every answer is kept."""
