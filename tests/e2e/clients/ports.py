"""tests/e2e/clients/ports.py - HTTPS whose bodies say which socket they travel on, for test_identity.py.

usage: ports.py (asyncio|uvloop) server CERT KEY PORT [PLAIN]
       ports.py (asyncio|uvloop) client PORT CONNECTIONS REQUESTS [PLAIN]
       ports.py (asyncio|uvloop) plain PORT
Each end writes "<me LOCAL_PORT REMOTE_PORT>" about itself, again and again. A client makes its connections and one request on each,
prints "connected", waits for a line on stdin, and makes the rest. With PLAIN, each connection has another one, without TLS, to
that port, and receives from it before whatever it writes, as a proxy does.
"""

import asyncio
import random
import ssl
import sys

SIZES = (1, 4, 40, 800, 2000)


class Plain:
    """A connection without TLS, and what it answers; none without a port."""

    def __init__(self, port):
        self.port, self.streams = port, None

    async def ask(self):
        if self.port and not self.streams:
            self.streams = await asyncio.open_connection("127.0.0.1", int(self.port))
        if self.streams:
            self.streams[1].write(b"?")
            await self.streams[0].readexactly(100)

    def close(self):
        if self.streams:
            self.streams[1].close()


async def plain(port):
    async def answer(reader, writer):
        while await reader.read(1):
            writer.write(b"HTTP/1.1 200 OK\r\n".ljust(100))
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", int(port), backlog=512)
    print("up", flush=True)
    await listening.serve_forever()


def token(writer):
    return b"<me %d %d>" % (writer.get_extra_info("sockname")[1], writer.get_extra_info("peername")[1])


async def head_and_body(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)


async def serve(reader, writer, side):
    me, rng = token(writer), random.Random(writer.get_extra_info("peername")[1])
    try:
        while True:
            await head_and_body(reader)
            parts = [me * rng.choice(SIZES) for _ in range(rng.randint(1, 6))]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % sum(map(len, parts)))
            for part in parts:
                await side.ask()
                writer.write(part)
                if rng.random() < 0.5:
                    await writer.drain()
                await asyncio.sleep(rng.random() * 0.005)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    side.close()
    writer.close()


async def server(cert, key, port, plain_port=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    handler = lambda reader, writer: serve(reader, writer, Plain(plain_port))
    listening = await asyncio.start_server(handler, "127.0.0.1", int(port), ssl=context, backlog=512)
    print("up", flush=True)
    await listening.serve_forever()


async def request(reader, writer, rng, side):
    await side.ask()
    me = token(writer)
    body = me * rng.choice(SIZES)
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    step = max((len(head) + len(body)) // rng.randint(1, 3), 1)
    whole = head + body
    for at in range(0, len(whole), step):
        writer.write(whole[at:at + step])
        if rng.random() < 0.3:
            await writer.drain()
    await head_and_body(reader)


async def client(port, connections, requests, plain_port=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    go, connected = asyncio.Event(), 0

    async def one(seed):
        nonlocal connected
        rng, side = random.Random(seed), Plain(plain_port)
        await side.ask()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port), ssl=context)
        await request(reader, writer, rng, side)
        connected += 1
        if connected == int(connections):
            print("connected", flush=True)
        await go.wait()
        for _ in range(int(requests) - 1):
            await request(reader, writer, rng, side)
            await asyncio.sleep(rng.random() * 0.01)
        side.close()
        writer.close()

    def told():
        sys.stdin.readline()
        asyncio.get_running_loop().remove_reader(0)
        go.set()

    asyncio.get_running_loop().add_reader(0, told)
    await asyncio.gather(*[one(seed) for seed in range(int(connections))])


loop, role, *args = sys.argv[1:]
if loop == "uvloop":
    import uvloop
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
asyncio.run({"server": server, "client": client, "plain": plain}[role](*args))
