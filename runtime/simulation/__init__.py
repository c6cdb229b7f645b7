"""A world that is made up, in which the real controllers run."""
