"""The HTTP side: reads answered in milliseconds, events and requests taken in."""
