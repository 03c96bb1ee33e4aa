"""``python -m spermseg``."""

from spermseg.cli import main

main()
