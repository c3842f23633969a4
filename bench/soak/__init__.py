"""Hours of mixed load with restarts, handler errors and malformed events: nothing lost, nothing grows."""
