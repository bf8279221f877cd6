"""Training without Django: the network, the digits it learns from, and how it learns."""
