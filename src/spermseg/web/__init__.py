"""The browser app: look at results, correct them, take them along."""
