"""How well two part maps agree; NumPy only."""
