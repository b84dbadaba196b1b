"""The stream as plain classes: epochs, event time, windows, checkpoints. No Ray, no broker."""
