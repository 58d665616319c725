"""Pictures from anywhere: read safely, as tensors, and how close one is to another."""
