"""A plugin for napari, described in ``napari.yaml``: it deals in plain tuples, not in windows.

Nothing here imports napari or Qt. A layer is a tuple of its data, its settings and its type, as
napari's readers give and its writers take them.
"""
