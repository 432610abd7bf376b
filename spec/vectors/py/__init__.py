"""A reference of the contracts in ../../*.md: plain Python integers, written from the pages alone."""
