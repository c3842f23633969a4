"""The words everybody shares: events, jobs, results, keys, topics. Imports nothing else of the project."""
