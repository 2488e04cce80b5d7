"""The HTTP service: requests in, recommendations out."""
