"""tests/e2e/clients/post.py LIBRARY - posts one request by one of Python's HTTP libraries, or several, one at a time.

Reads JSON lines {url, ca, headers, body}; prints one {status, length} for each. Runs on every Python from 3.7 on; the TLS library
is loaded with the first request, not before.
"""

import json
import sys


def urllib_(job):
    import ssl
    import urllib.request
    request = urllib.request.Request(job["url"], job["body"].encode(), job["headers"])
    with urllib.request.urlopen(request, context=ssl.create_default_context(cadata=job["ca"]), timeout=20) as reply:
        return reply.status, len(reply.read())


def ca_file(job):
    import atexit
    import os
    import tempfile
    f = tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False)
    atexit.register(os.unlink, f.name)
    f.write(job["ca"])
    f.close()
    return f.name


def requests_(job):
    import requests
    reply = requests.post(job["url"], data=job["body"].encode(), headers=job["headers"], verify=ca_file(job), timeout=20)
    return reply.status_code, len(reply.content)


def httpx_(job):
    import httpx
    import ssl
    with httpx.Client(verify=ssl.create_default_context(cadata=job["ca"])) as client:
        reply = client.post(job["url"], content=job["body"].encode(), headers=job["headers"])
        return reply.status_code, len(reply.content)


def aiohttp_(job):
    import aiohttp
    import asyncio
    import ssl

    async def post():
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=job["ca"]))
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.post(job["url"], data=job["body"].encode(), headers=job["headers"]) as reply:
                return reply.status, len(await reply.read())

    return asyncio.run(post())


def pycurl_(job):
    import io
    import pycurl
    out, curl = io.BytesIO(), pycurl.Curl()
    for name, value in (("URL", job["url"]), ("POSTFIELDS", job["body"]), ("CAINFO", ca_file(job)), ("WRITEDATA", out),
                        ("HTTPHEADER", ["Expect:"] + [f"{k}: {v}" for k, v in job["headers"].items()])):
        curl.setopt(getattr(pycurl, name), value)
    curl.perform()
    return curl.getinfo(pycurl.RESPONSE_CODE), len(out.getvalue())


def curl_cffi_(job):
    from curl_cffi import requests
    reply = requests.post(job["url"], data=job["body"].encode(), headers=job["headers"], verify=ca_file(job), timeout=20)
    return reply.status_code, len(reply.content)


def pyopenssl_(job):
    import socket
    import urllib.parse
    from OpenSSL import SSL, crypto
    url, context = urllib.parse.urlsplit(job["url"]), SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.get_cert_store().add_cert(crypto.load_certificate(crypto.FILETYPE_PEM, job["ca"].encode()))
    context.set_verify(SSL.VERIFY_PEER)
    tls = SSL.Connection(context, socket.create_connection((url.hostname, url.port)))
    tls.set_tlsext_host_name(url.hostname.encode())
    tls.set_connect_state()
    head = {**job["headers"], "Host": url.netloc, "Content-Length": len(job["body"].encode()), "Connection": "close"}
    lines = [f"POST {url.path} HTTP/1.1"] + [f"{k}: {v}" for k, v in head.items()]
    tls.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + job["body"].encode())
    got = b""
    try:
        while True:
            got += tls.recv(65536)
    except (SSL.ZeroReturnError, SSL.SysCallError):
        pass
    return int(got.split()[1]), len(got)


def pyreqwest_(job):
    from pyreqwest.client import SyncClientBuilder
    with SyncClientBuilder().add_root_certificate_pem(job["ca"].encode()).build() as client:
        reply = client.post(job["url"]).headers(job["headers"]).body_bytes(job["body"].encode()).build().send()
        return reply.status, len(reply.bytes())


def main():
    post = globals()[sys.argv[1] + "_"]
    for line in sys.stdin:
        status, length = post(json.loads(line))
        print(json.dumps({"status": status, "length": length}), flush=True)


main()
