"""One picture studied: its certificate, what denoisers make of it, and stored results."""
