"""What `bench/run` is made of: bundles, runtimes, times by hyperfine, memory, tables."""
