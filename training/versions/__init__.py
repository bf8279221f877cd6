"""Which version is live: promotion, rollback and the ledger."""
