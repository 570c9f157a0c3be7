"""Bringing documents in while the service runs: files that people upload, and the one place that reads them."""
