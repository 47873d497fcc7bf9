"""Who runs when: a bounded queue, slots, batches and deadlines between HTTP and the networks."""
