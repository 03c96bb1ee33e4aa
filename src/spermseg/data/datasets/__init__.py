"""Annotated folders in the layouts that exist, read in place."""
