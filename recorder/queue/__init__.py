"""The queue of items that several annotators share, with leases."""
