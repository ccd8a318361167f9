"""The cgroup code against the kernel's cgroup file systems, whichever this machine has. Needs root."""
