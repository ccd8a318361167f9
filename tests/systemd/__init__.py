"""The systemd cgroup driver on a real systemd: as root, and with a manager of a user's."""
