"""The method: noise, votes, bounds, radii, certificates."""
