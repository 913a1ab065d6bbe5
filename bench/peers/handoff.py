"""Hand-off of a function and its result through asyncio's run_in_executor.

Called as `handoff.py OUTSTANDING SECONDS`; prints `name = tasks per second`, one a line.
"""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor


def one():
    return 1


async def rate(outstanding, seconds):
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(2) as pool:
        began = time.monotonic()
        done = 0
        while time.monotonic() - began < seconds:
            tasks = [loop.run_in_executor(pool, one) for _ in range(outstanding)]
            done += sum(await asyncio.gather(*tasks))
        return done / (time.monotonic() - began)


def main():
    outstanding, seconds = int(sys.argv[1]), float(sys.argv[2])
    print(f"Python: run_in_executor = {asyncio.run(rate(outstanding, seconds)):.1f}")
    try:
        import uvloop
    except ImportError:
        print("uvloop is not installed: left out")
        return
    uvloop.install()
    print(f"Python: the same on uvloop = {asyncio.run(rate(outstanding, seconds)):.1f}")


main()
