"""tests/e2e/clients/ports.py - HTTPS whose bodies say which socket they travel on, for test_identity.py.

usage: ports.py (asyncio|uvloop) server CERT KEY PORT
       ports.py (asyncio|uvloop) client PORT CONNECTIONS REQUESTS
Each end writes "<me LOCAL_PORT REMOTE_PORT>" about itself, again and again. A client makes its connections and one request on each,
prints "connected", waits for a line on stdin, and makes the rest.
"""

import asyncio
import random
import ssl
import sys

SIZES = (1, 4, 40, 800, 2000)


def token(writer):
    return b"<me %d %d>" % (writer.get_extra_info("sockname")[1], writer.get_extra_info("peername")[1])


async def head_and_body(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)


async def serve(reader, writer):
    me, rng = token(writer), random.Random(writer.get_extra_info("peername")[1])
    try:
        while True:
            await head_and_body(reader)
            parts = [me * rng.choice(SIZES) for _ in range(rng.randint(1, 6))]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % sum(map(len, parts)))
            for part in parts:
                writer.write(part)
                if rng.random() < 0.5:
                    await writer.drain()
                await asyncio.sleep(rng.random() * 0.005)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def server(cert, key, port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listening = await asyncio.start_server(serve, "127.0.0.1", int(port), ssl=context, backlog=512)
    print("up", flush=True)
    await listening.serve_forever()


async def request(reader, writer, rng):
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


async def client(port, connections, requests):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    go, connected = asyncio.Event(), 0

    async def one(seed):
        nonlocal connected
        rng = random.Random(seed)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port), ssl=context)
        await request(reader, writer, rng)
        connected += 1
        if connected == int(connections):
            print("connected", flush=True)
        await go.wait()
        for _ in range(int(requests) - 1):
            await request(reader, writer, rng)
            await asyncio.sleep(rng.random() * 0.01)
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
asyncio.run((server if role == "server" else client)(*args))
