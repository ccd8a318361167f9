"""The runtime under real container managers; see README.md."""
