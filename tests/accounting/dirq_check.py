"""Reads a queue as ssmsend does, with the package dirq: name and SHA-256 of each message, in order.

usage: dirq_check.py FOLDER
"""

import hashlib
import sys

from dirq.QueueSimple import QueueSimple


def main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write(__doc__)
        return 2
    queue = QueueSimple(sys.argv[1])
    for name in queue:
        if not queue.lock(name):
            sys.stderr.write(f"{name}: cannot be locked\n")
            return 1
        body = queue.get(name)
        if isinstance(body, str):
            body = body.encode()
        queue.unlock(name)
        sys.stdout.write(f"{name} {hashlib.sha256(body).hexdigest()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
