"""Corrections by hand: edits, what becomes of the sperm, and the versions on disk."""

from spermseg.analysis.analysed_sperm import CORRECTED
from spermseg.correction.applying import apply_edit
from spermseg.correction.edits import (
    Add,
    Delete,
    Edit,
    Merge,
    MoveTail,
    Paint,
    Split,
    edit_from_dict,
)
from spermseg.correction.ground import Ground, pixel_size_scale, rescale
from spermseg.correction.part_map import current_part_map
from spermseg.correction.versions import (
    StoredVersion,
    Version,
    VersionConflictError,
    VersionStore,
)

__all__ = [
    "CORRECTED",
    "Add",
    "Delete",
    "Edit",
    "Ground",
    "Merge",
    "MoveTail",
    "Paint",
    "Split",
    "StoredVersion",
    "Version",
    "VersionConflictError",
    "VersionStore",
    "apply_edit",
    "current_part_map",
    "edit_from_dict",
    "pixel_size_scale",
    "rescale",
]
