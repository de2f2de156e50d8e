"""Virtual time and an in-memory network: hours of the daemon's life in a second, the same for every run of a seed.

loop.py      the asyncio loop and the trio clock whose time jumps; a deadlock is an error
network.py   real httpx bytes between clients and ASGI applications, with latency and faults, and no socket
sockets.py   the same for aiohttp, and so for production's carrier, by timers
server.py    HTTP/1.1 in front of the applications
backends.py  the pytest fixture that runs a test on both, and `run` for what is not a test
"""
