"""The gate: statistics that compare a candidate with the live version."""
