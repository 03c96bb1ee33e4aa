"""Pictures, annotations and data sets: reading, splitting, augmenting, making them up."""
