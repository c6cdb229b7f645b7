"""A compiled tree onto the hosts of the site: staged, checked, switched to, or all of it undone."""
