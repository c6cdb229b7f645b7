"""What a change of site.yaml does to the site, before it does it: hosts and services, and risks."""
