from __future__ import annotations


class Console:
    def __init__(self, front, sign_in, accounts):
        self.front = front

    def concerns(self, request):
        return False
