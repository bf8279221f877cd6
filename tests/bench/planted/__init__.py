"""The faults that `./run bench mutants` plants, and the tests that must find each."""
