"""What the Learn page computes: a classifier in the plane, its smoothing, the quiz, the glossary. Needs no torch."""
