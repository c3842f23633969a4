"""What every process needs to be run and seen: services, metrics, health, logging."""
