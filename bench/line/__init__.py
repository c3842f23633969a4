"""The line from event to answer: latency when idle, CPU for each event and each job, memory."""
