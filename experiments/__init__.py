"""What only makes tables of docs/: one command each, and no part of the product."""
