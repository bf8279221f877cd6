"""Backup to one file, and restore."""
