"""`manage.py hub_stack`: the CloudFormation template for the practice's own topics and queue (docs/callback.md)."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser

from awsaccess.provision.hub_stack import HUB_ROLE, BadHubStack, render_main, render_topic


class Command(BaseCommand):
    """Writes a template to standard output; touches neither AWS nor the database."""

    help = "Print the template for the hub's control role, queue and topic, or for the topic of a further region."
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

        parser.add_argument(
            "--hub-role", default=HUB_ROLE, help="name of the hub role, which may enter the control role"
        )
        parser.add_argument(
            "--also-hub-role",
            action="append",
            default=[],
            metavar="NAME",
            help="another one that may, while accesses move from one hub role to the other",
        )
        parser.add_argument(
            "--without-control-role",
            action="store_true",
            help="leave the control role out, where it was made by hand",
        )

    def handle(
        self,
        *_: object,
        topic_in: list[str],
        queue_arn: str,
        hub_role: str,
        also_hub_role: list[str],
        without_control_role: bool,
        **__: object,
    ) -> None:
        """Print it."""
        try:
            text = (
                render_topic(queue_arn=queue_arn)
                if queue_arn
                else render_main(
                    topics_also_in=tuple(topic_in),
                    hub_role="" if without_control_role else hub_role,
                    also_hub_roles=tuple(also_hub_role),
                )
            )
        except BadHubStack as error:
            raise CommandError(str(error)) from None
        self.stdout.write(text, ending="")
