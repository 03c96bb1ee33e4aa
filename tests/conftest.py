"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest

SPERM_PARSING = Path(__file__).parents[2] / "shared" / "data" / "spermparsing"


@pytest.fixture(scope="session")
def spermparsing() -> Path:
    """Folder of the Sperm Parsing pictures, which are not part of this repository."""
    if not SPERM_PARSING.is_dir():
        pytest.skip("the Sperm Parsing data set is not beside the checkout")
    return SPERM_PARSING
