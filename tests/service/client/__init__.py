"""The client, against the service itself."""
