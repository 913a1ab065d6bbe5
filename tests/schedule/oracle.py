#!/usr/bin/env python3
"""Makes oracle.tsv: what croniter says of a thousand expressions of cron.

    python3 -m venv venv && venv/bin/pip install croniter==7.0.0
    venv/bin/python tests/schedule/oracle.py > tests/schedule/oracle.tsv

A line has the expression, the zone, the first and the last of the next hundred instants after the first
second of 2026 in UTC, and the beginning of the SHA-256 of all hundred, as decimal seconds with a newline
after each. The zones have no changes of the clock in that time: what is right there is the rule of this
project, and another test's business. `implement_cron_bug` is cron's own rule for two restricted fields of
days: a field that begins with `*` counts as not restricted.
"""

import hashlib
import random
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterBadDateError

SEED = 6
WANTED = 1_000
FIRES = 100
ZONES = ["UTC", "Asia/Tokyo", "Asia/Kolkata", "Asia/Kathmandu", "America/Phoenix", "Pacific/Kiritimati"]
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()


def element(rng, low, high, names=None):
    def value():
        number = rng.randint(low, high)
        if names and rng.random() < 0.4:
            return number, names[number - low]
        return number, str(number)

    kind = rng.random()
    if kind < 0.5:
        return value()[1]
    (a, first), (b, last) = sorted([value(), value()])
    if a == b:
        return first
    if kind < 0.8:
        return f"{first}-{last}"
    return f"{a}-{b}/{rng.randint(1, b - a)}"


def field(rng, low, high, star, names=None):
    if rng.random() < star:
        return "*"
    if rng.random() < 0.2:
        return f"*/{rng.randint(1, (high - low) // 2 + 1)}"
    return ",".join(element(rng, low, high, names) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def days(rng):
    if rng.random() < 0.05:
        return "L"
    return field(rng, 1, 31, 0.5)


def weekdays(rng):
    kind = rng.random()
    if kind < 0.05:
        return f"{rng.choice(WEEKDAYS + [str(n) for n in range(7)])}#{rng.randint(1, 5)}"
    if kind < 0.1:
        return f"L{rng.randint(0, 6)}"
    return field(rng, 0, 6, 0.5, WEEKDAYS)


def expression(rng):
    if rng.random() < 0.01:
        return rng.choice(["@yearly", "@monthly", "@weekly", "@daily", "@hourly", "@midnight", "@annually"])
    weekday = weekdays(rng)
    # Beside a restricted day of the month croniter takes `FRI#2` and `L5` for a second condition, where
    # cron's rule makes all else of the two fields an alternative.
    special = "#" in weekday or "L" in weekday
    fields = [
        field(rng, 0, 59, 0.1),
        field(rng, 0, 23, 0.3),
        "*" if special else days(rng),
        field(rng, 1, 12, 0.6, MONTHS),
        weekday,
    ]
    if rng.random() < 0.2:
        fields.insert(0, field(rng, 0, 59, 0.1))
    return " ".join(fields)


def fires(text, zone):
    start = datetime(2026, 1, 1, tzinfo=timezone.utc).astimezone(ZoneInfo(zone))
    each = croniter(text, start, second_at_beginning=True, implement_cron_bug=True,
                    max_years_between_matches=45)
    return [int(each.get_next(float)) for _ in range(FIRES)]


def main():
    rng = random.Random(SEED)
    seen = set()
    while len(seen) < WANTED:
        text, zone = expression(rng), rng.choice(ZONES)
        if text in seen:
            continue
        try:
            all_fires = fires(text, zone)
        except CroniterBadDateError:
            continue
        seen.add(text)
        digest = hashlib.sha256("".join(f"{at}\n" for at in all_fires).encode()).hexdigest()[:16]
        print(text, zone, all_fires[0], all_fires[-1], digest, sep="\t")


main()
