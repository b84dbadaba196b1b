"""What answers look like, for the OpenAPI; and what bodies of requests have to be."""
