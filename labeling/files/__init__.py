"""Export of labels and images to files, and import from files."""
