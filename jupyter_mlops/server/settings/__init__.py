"""Settings: what a user sets once."""
