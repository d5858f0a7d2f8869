"""Proofs that go across the rooms: each takes an attacker's side and fails when its control is taken away."""

from __future__ import annotations
