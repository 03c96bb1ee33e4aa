"""How well two part maps agree; arrays in, numbers out, no model runtime."""
