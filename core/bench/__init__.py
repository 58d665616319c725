"""How fast certification, the evaluation of a data set and training are, each against the networks alone."""
