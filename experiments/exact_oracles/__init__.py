"""A second opinion on every bound: the exact chance that a rule errs, by arithmetic of its own."""
