"""Plotly figures made from results. Every function returns a figure and never shows it."""
