from __future__ import annotations

from dataclasses import asdict
from typing import Any

from labeling.queue import overview
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = (
        "Print how many items wait to be labeled, by the reason they are shown for, how many "
        "somebody holds at this moment, and how many disputes and gold items there are."
    )

    def handle(self, **options: Any) -> None:
        state = overview.of_queue()
        counts = {**state.open_by_stream, "held now": state.held}
        counts |= {"disputed": state.disputed, "gold": state.gold}
        self.tell(
            "\n".join(f"{name:<10}{count:>10,}" for name, count in counts.items()),
            **asdict(state),
        )
