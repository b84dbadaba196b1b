"""Results over HTTP: an API, live events, and the web page; wrapped for Ray Serve in one file."""
