"""What a person says of one drawing, how it is taken back, and how far people agree."""
