"""Messages about events: the outbox, webhooks and mail."""
