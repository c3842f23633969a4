"""The Redis side: answers, leases, inputs, the job ledger and the fleet's counters."""
