"""Ray around the plain classes of the stream: actors, their supervision, the local cluster."""
