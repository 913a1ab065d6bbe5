#!/usr/bin/env python3
"""Makes crontab.tsv and calendar.tsv: when croniter and systemd say that what is imported comes.

    python3 -m venv venv && venv/bin/pip install croniter==7.0.0
    cd tests/cli/import && venv/bin/python oracle.py

A line of crontab.tsv has the file, the line, its expression as cron takes it, the zone, and the next forty
instants after the first second of 2026 in UTC. A line of calendar.tsv has a calendar event and the same of it by
`systemd-analyze calendar` (252 made the ones here). The zones have no changes of the clock: what is right
there is the rule of this project.
"""

import re
import subprocess
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

FIRES = 40
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
# What crons take otherwise than croniter.
AS_TAKEN = {"7/20": "7-59/20", "10~40": "10", "*/90": "0"}

EVENTS = """
minutely UTC|hourly UTC|daily UTC|weekly UTC|monthly UTC|quarterly UTC|semiannually UTC|yearly UTC
Mon..Fri *-*-* 09:30 Asia/Tokyo|*:0/15 UTC|*:7/20:30 UTC|12,14,13:20,10,30 UTC|*-*-* 00/2:00 UTC|9..17/2:00 UTC
*-1/3-1 UTC|05-01 UTC|Wed UTC|Wednesday,Sun..Sun 1:2:3 UTC|Mon *-*-1..3 08:00 UTC|Sun *-*-25..31 UTC
Tue *-*-8..14 03:00 UTC|Mon,Thu *-*-1..7,15..21 03:00 UTC|Fri *-*~07/1 UTC|*-*~01 12:00 Asia/Kolkata|*-02~01..03 UTC
*-*~05/2 UTC|*:30:0/10 UTC|03-05 08:05:40 UTC|Sun 2027-*-* 00:00 UTC|2027..2029-06-01 04:00 UTC|*-*-01..07/3 UTC
2030-05-01 10:00 Asia/Tokyo|@1893456000|Sat *-*-* 0..3:59:59 UTC|Mon-Fri 08..18:00/20 UTC|*-*-29..31 UTC|sat,sun 10:00 UTC
Sun,Mon *-*-10..12 UTC|Tue *-*-29..31 UTC|27-01-01 UTC
""".replace("\n", "|")


def crontabs():
    for name, has_user in [("user.crontab", False), ("system.crontab", True)]:
        zone = "UTC"
        for number, line in enumerate(open(name), 1):
            line = line.strip()
            if match := re.match(r"CRON_TZ=(.*)", line):
                zone = match[1]
            if not line or line[0] == "#" or re.match(r"\w+\s*=", line) or line.startswith("@reboot"):
                continue
            line = line.removeprefix("-")
            fields = line.split()[: 1 if line[0] == "@" else 5]
            text = " ".join(AS_TAKEN.get(field, field) for field in fields)
            each = croniter(text, START.astimezone(ZoneInfo(zone)), implement_cron_bug=True)
            yield name, number, text, zone, " ".join(str(int(each.get_next(float))) for _ in range(FIRES))


def events():
    for event in filter(None, EVENTS.split("|")):
        # It counts from the instant itself, and we after it.
        told = subprocess.run(
            ["systemd-analyze", "calendar", f"--iterations={FIRES}", "--base-time=2026-01-01 00:00:01 UTC", event],
            env={"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True)
        # Zones that are not its own it also tells in UTC.
        lines = [line for line in told.stdout.splitlines() if re.search(r"Next elapse:|Iter\.|\(in UTC\)", line)]
        found = []
        for line in lines:
            at = re.search(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (\w+)", line)
            if at[2] != "UTC":
                continue
            found.append(int(datetime.strptime(at[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc).timestamp()))
        yield event, " ".join(map(str, found))


def write(name, rows):
    with open(name, "w") as file:
        for row in rows:
            print(*row, sep="\t", file=file)


write("crontab.tsv", crontabs())
write("calendar.tsv", events())
