"""The Vision APIs page."""
