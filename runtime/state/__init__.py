"""What planc remembers of a container between two commands."""
