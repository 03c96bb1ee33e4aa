"""Networks and how they learn: the only place where torch is imported."""
