"""One reader per format: text into facts, each with its file and line."""
