"""What the coordinator tells the components: one mailbox for each life of a component."""

from __future__ import annotations

import threading
import time


class Mailboxes:
    """Messages wait in memory until their receiver says that it has them."""

    def __init__(self):
        self.retired: set[str] = set()
        self._boxes: dict[str, dict[int, dict]] = {}  # life → number → message
        self._last: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._lock = threading.RLock()
        self._bells: dict[str, threading.Condition] = {}

    def post(self, messages: list[tuple[str, dict]], repeat: tuple[str, int] = ("", 0)) -> None:
        """Put messages (life, message) into the boxes, once for each `repeat`."""
        writer, sequence = repeat
        with self._lock:
            if writer and sequence <= self._seen.get(writer, 0):
                return
            for life, message in messages:
                number = self._last[life] = self._last.get(life, 0) + 1
                self._boxes.setdefault(life, {})[number] = message
                self._bell(life).notify_all()
            if writer:
                self._seen[writer] = sequence

    def take(self, life: str, after: int, wait_s: float) -> tuple[list[dict], int]:
        """Messages after number `after`, and the last one's number; waits where there is none.

        What came up to `after` is dropped: the receiver has it.
        """
        deadline = time.monotonic() + wait_s
        with self._lock:
            box, bell = self._boxes.setdefault(life, {}), self._bell(life)
            for number in [number for number in box if number <= after]:
                del box[number]
            while not box and life not in self.retired:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                bell.wait(left)
            return list(box.values()), max(box, default=after)

    def retire(self, life: str) -> None:
        """Wake its receiver, which is not to go on."""
        with self._lock:
            self.retired.add(life)
            self._bell(life).notify_all()

    def _bell(self, life: str) -> threading.Condition:
        """One condition for each box, all with one lock: a message wakes its receiver alone."""
        if life not in self._bells:
            self._bells[life] = threading.Condition(self._lock)
        return self._bells[life]
