"""The Denoise page."""
