"""The templates of the artefacts, one of each artefact's name."""
