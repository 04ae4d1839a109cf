"""The queue of items that annotators share, with leases."""
