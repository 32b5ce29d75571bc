"""From files to batches: one schema, one size, one output, a share for each rank."""
