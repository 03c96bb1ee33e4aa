"""What a person looks at: overlays, panels, plots and self-contained pages."""
