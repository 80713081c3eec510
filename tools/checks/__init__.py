"""What `make check` runs: one module and one table for each kind of test."""
