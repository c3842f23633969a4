"""From an event to its user's history and one job: the streams role next to what people would use instead."""
