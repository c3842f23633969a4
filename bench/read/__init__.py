"""The read side: the client, waiting readers, the API."""
