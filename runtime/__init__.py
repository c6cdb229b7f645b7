"""The runtime: keeps the site alive. It reads controller.yaml, never the site model."""
