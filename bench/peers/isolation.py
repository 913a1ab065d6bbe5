"""Lateness of a wait of 1 ms in asyncio while a thread pool computes.

Called as `isolation.py SECONDS LOOPS`; prints nanoseconds, one wait a line.
"""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor

TICK = 0.001
stop = False


def compute():
    total = 0
    while not stop:
        for n in range(10_000):
            total += n
    return total


async def ticks(seconds, loops):
    global stop
    loop = asyncio.get_running_loop()
    late = []
    with ThreadPoolExecutor(loops) as pool:
        busy = [loop.run_in_executor(pool, compute) for _ in range(loops)]
        end = time.monotonic_ns() + int(seconds * 1e9)
        now = 0
        while now < end:
            due = time.monotonic_ns() + int(TICK * 1e9)
            await asyncio.sleep(TICK)
            now = time.monotonic_ns()
            late.append(max(0, now - due))
        stop = True
        await asyncio.gather(*busy)
    return late


print("\n".join(map(str, asyncio.run(ticks(float(sys.argv[1]), int(sys.argv[2]))))))
