"""The Hugging Face Hub: what a repository holds, its files, a search, and what is already here."""
