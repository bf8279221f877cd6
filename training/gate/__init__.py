"""Is a candidate better than the live version, and worse at nothing?"""
