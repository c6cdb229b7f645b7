"""YAML text into a site model in which every value knows its file, line and column."""
