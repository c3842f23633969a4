"""The worker: job topics drained strictly by priority, answers into the cache, offsets after them."""
