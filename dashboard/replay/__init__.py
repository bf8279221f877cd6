"""Every version over every month's audited drawings, and the map of digits."""
