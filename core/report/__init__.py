"""Results in words, as formulas, and as a page to take along."""
