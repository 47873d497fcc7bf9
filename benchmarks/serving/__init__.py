"""The service under load: one command each."""
