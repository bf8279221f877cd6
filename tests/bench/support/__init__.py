"""What several benches share: servers, clients, seeded rows, made pictures, and the last line."""
