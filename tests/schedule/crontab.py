#!/usr/bin/env python3
"""Makes crontab.tsv: a crontab of 200 lines as they stand on machines, and what croniter makes of the year 2027.

    venv/bin/python tests/schedule/crontab.py > tests/schedule/crontab.tsv      # see oracle.py for the venv

A line has the expression, how often it comes in 2027 in UTC, and the beginning of the SHA-256 of all its
instants, as decimal seconds with a newline after each.
"""

import hashlib
import random
from datetime import datetime, timezone

from croniter import croniter

START = datetime(2027, 1, 1, tzinfo=timezone.utc).timestamp()
END = datetime(2028, 1, 1, tzinfo=timezone.utc).timestamp()


def lines(rng):
    minute, hour = (lambda: rng.randint(0, 59)), (lambda: rng.randint(0, 23))
    day, weekday = (lambda: rng.randint(1, 28)), (lambda: rng.randint(0, 6))
    yield "*/5 * * * *"
    for _ in range(2):
        yield f"{rng.randint(0, 9)}-59/10 * * * *"
    for _ in range(5):
        yield f"{rng.randint(0, 14)}-59/15 {rng.choice(['*', '6-22', '8-18'])} * * *"
    for _ in range(30):
        yield f"{minute()} * * * *"
    for _ in range(10):
        yield f"{minute()} */{rng.choice([2, 3, 4, 6])} * * *"
    for _ in range(80):
        yield f"{minute()} {hour()} * * *"
    for _ in range(15):
        yield f"{minute()} {hour()} * * 1-5"
    for _ in range(30):
        yield f"{minute()} {hour()} * * {weekday()}"
    for _ in range(20):
        yield f"{minute()} {hour()} {day()} * *"
    for _ in range(4):
        yield f"{minute()} {hour()} 1 */3 *"
    for _ in range(3):
        yield f"{minute()} {hour()} {day()} {rng.randint(1, 12)} *"


def main():
    for text in lines(random.Random(200)):
        each, digest, count = croniter(text, START - 1, implement_cron_bug=True), hashlib.sha256(), 0
        while (at := each.get_next(float)) < END:
            digest.update(f"{int(at)}\n".encode())
            count += 1
        print(text, count, digest.hexdigest()[:16], sep="\t")


main()
