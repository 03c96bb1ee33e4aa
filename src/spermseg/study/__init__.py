"""A study: many short trainings that each differ from another in one thing, and what that gave."""
