"""Planning: config.json and facts of the host become a list of operations. Pure."""
