"""Many trainings from YAML files, compared on one page."""
