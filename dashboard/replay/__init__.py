"""The replay (every version reads every audited drawing) and the map of digits."""
