"""Who is told what happened: the outbox and webhooks."""
