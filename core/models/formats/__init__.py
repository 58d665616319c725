"""Readers of the formats that models are published in; each turns a folder of files into a network on [0, 1] pixels."""
