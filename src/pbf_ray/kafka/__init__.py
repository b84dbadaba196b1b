"""Kafka at the edge: topics, exact reading of offset ranges, the producer, the demo's broker."""

__all__: list[str] = []
