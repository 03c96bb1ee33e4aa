"""From a picture to part scores, with any runtime that turns arrays into arrays."""
