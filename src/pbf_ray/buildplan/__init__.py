"""What a build means: lengths, times and energies of the vectors of each layer. Pure functions."""
