"""Labelled pictures: data sets by reference, samples, and whether their classes are a classifier's."""
