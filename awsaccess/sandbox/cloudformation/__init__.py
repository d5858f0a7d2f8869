"""What moto's CloudFormation lacks: stacks that ask for rights, roll back, update and tell what happened."""

from __future__ import annotations
