"""Work away from the page: the queue, and what a page shows of a job under way."""
