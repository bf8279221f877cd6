from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from predictions.operation.json_command import DecliningCommand
from training.models import Run
from training.runs import retrain
from training.snapshots.snapshots import choose, default_rule
from training.trials.summary import latest_shown


class Command(DecliningCommand):
    help = (
        "Fine-tune the live model on what people settled, and put the result on trial against it. "
        "Ends with 0 when a run was done, 1 when it failed or was declined."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Print what a run would learn from, and start none.",
        )
        parser.add_argument("--seed", type=int, default=0, help="Seed of the run.")
        parser.add_argument(
            "--least",
            type=int,
            default=retrain.LEAST_LABELS,
            help="Start only with at least this many labels.",
        )
        parser.add_argument(
            "--without-labeler",
            type=int,
            action="append",
            default=[],
            metavar="USER_ID",
            help="Leave out everything this person decided.",
        )
        parser.add_argument("--json", action="store_true", help="Print the result as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            self.show_snapshot(options)
            return
        run = retrain.ask(
            trigger=Run.Trigger.COMMAND,
            least=options["least"],
            seed=options["seed"],
            without_labelers=options["without_labeler"],
        )
        self.work_here(run)
        self.tell(run, as_json=options["json"])

    def show_snapshot(self, options: dict[str, Any]) -> None:
        rule = default_rule(without_labelers=options["without_labeler"])
        choice = choose(rule)
        told = {
            "labels": len(choice.labels),
            "digits": choice.counts,
            "left_out": choice.left_out,
            "digest": choice.digest,
            "rule": asdict(rule),
        }
        if options["json"]:
            self.stdout.write(json.dumps(told))
            return
        self.stdout.write(f"{told['labels']} labels would be learned from: {choice.counts}")
        for reason, count in choice.left_out.items():
            self.stdout.write(f"  left out, {reason.label}: {count}")

    def work_here(self, run: Run) -> None:
        """Carry out the run in this process, with a progress bar."""
        import threading

        worker = threading.Thread(target=self.work, args=[run.pk])
        worker.start()
        with tqdm(total=100, unit="%", disable=not sys.stderr.isatty()) as bar:
            while worker.is_alive():
                time.sleep(0.5)
                done = Run.objects.values_list("progress", flat=True).get(pk=run.pk)
                bar.update(int(100 * done) - bar.n)
        worker.join()

    def work(self, run_id: int) -> None:
        from django.db import connection

        try:
            retrain.execute(run_id)
        finally:
            connection.close()

    def tell(self, run: Run, *, as_json: bool) -> None:
        run.refresh_from_db()
        found = latest_shown(run.version_id)
        sentences = found.sentences if found else []
        told = {
            "run": run.pk,
            "state": run.state,
            "version": run.version.name if run.version else None,
            "verdict": found.trial.verdict if found else None,
            "reasons": sentences,
            "reason": run.reason,
        }
        if as_json:
            self.stdout.write(json.dumps(told))
        if run.state != Run.State.DONE:
            raise CommandError(run.reason or f"The run ended {run.state}.")
        if not as_json:
            self.stdout.write(self.style.SUCCESS(f"{told['version']}: {told['verdict']}"))
            for sentence in sentences:
                self.stdout.write(f"  {sentence}")
