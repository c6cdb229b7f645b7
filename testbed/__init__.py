"""The testbed: the compiled site, for real, on one machine, and crashed."""
