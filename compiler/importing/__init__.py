"""What a site has already, read and written as site.yaml: `3rc import`.

readers/ turn one format each into facts, merging makes hosts and networks of them, writing makes
YAML of these, and verifying compiles that and compares what it means with what was read.
"""
