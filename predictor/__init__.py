"""What a user will do next, how sure that is, and whether acting on it pays.

History in, probabilities out: knows nothing of Kafka, Redis or handlers.
"""
