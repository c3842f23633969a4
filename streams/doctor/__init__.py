"""Looks at everything the system stands on, and says what is not as it should be and what to do."""
