"""Segment, separate and measure human sperm in microscope pictures.

For research use, not for clinical diagnosis.
"""

__version__ = "0.1.0"
DISCLAIMER = "For research use, not for clinical diagnosis."
__all__ = ["DISCLAIMER", "__version__"]
