"""Trials: a candidate and the live version read the same new drawings until answers decide."""
