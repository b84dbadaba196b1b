"""Jobs: settings in, results out."""
