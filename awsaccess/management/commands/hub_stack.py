"""`manage.py hub_stack`: the CloudFormation template for the practice's own topics and queue (docs/callback.md)."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser

from awsaccess.provision.hub_stack import BadHubStack, render_main, render_topic


class Command(BaseCommand):
    """Writes a template to standard output; touches neither AWS nor the database."""

    help = "Print the template for the hub's queue and topic, or for the topic of a further region."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """For which regions."""
        parser.add_argument(
            "--topic-in",
            action="append",
            default=[],
            metavar="REGION",
            help="further region that may deliver",
        )
        parser.add_argument(
            "--queue-arn", default="", help="for a further region: print only its topic, for this queue"
        )

    def handle(self, *_: object, topic_in: list[str], queue_arn: str, **__: object) -> None:
        """Print it."""
        try:
            text = (
                render_topic(queue_arn=queue_arn)
                if queue_arn
                else render_main(topics_also_in=tuple(topic_in))
            )
        except BadHubStack as error:
            raise CommandError(str(error)) from None
        self.stdout.write(text, ending="")
