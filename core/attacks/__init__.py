"""Attacks: the other side of the bound. What changes a prediction, how small it can be made, and what a radius looks like."""
