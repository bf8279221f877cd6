from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from labeling import overview


class Command(BaseCommand):
    help = "Print the state of the queue."

    def handle(self, **options: Any) -> None:
        state = overview.of_queue()
        for stream, count in state.open_by_stream.items():
            self.stdout.write(f"{stream:<10}{count:>10,}")
        self.stdout.write(f"{'held now':<10}{state.held:>10,}")
        self.stdout.write(f"{'disputed':<10}{state.disputed:>10,}")
        self.stdout.write(f"{'gold':<10}{state.gold:>10,}")
