"""The handlers' quality and cost on media with known truth."""
