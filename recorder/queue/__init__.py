"""The queue of items that annotators share, and the leases of items."""
