"""From plan to kernel objects, one verb a file. Writes state; never reads config.json, never prints."""
