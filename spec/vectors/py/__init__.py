"""A reference of the contracts in ../../*.md: plain Python integers, one page a module, written from the pages alone."""
