"""What all roles need of Kafka: client configuration, an acknowledged producer, the topics themselves."""
