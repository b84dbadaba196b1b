"""What records mean: anomaly rules, rolling and layer quality, dates. Arrow in, Arrow out."""
