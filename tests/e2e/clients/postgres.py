"""tests/e2e/clients/postgres.py PORT CERT KEY - as much of a Postgres server as one query over TLS takes. It answers 1."""

import socket
import ssl
import struct
import sys


def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


def serve(raw, context):
    raw.recv(8)  # SSLRequest
    raw.sendall(b"S")
    s = context.wrap_socket(raw, server_side=True)
    s.recv(4096)  # startup
    settings = b"".join(message(b"S", k + b"\0" + v + b"\0") for k, v in ((b"client_encoding", b"UTF8"), (b"server_version", b"15.0"),
                        (b"DateStyle", b"ISO, MDY"), (b"integer_datetimes", b"on"), (b"standard_conforming_strings", b"on")))
    s.sendall(message(b"R", struct.pack("!I", 0)) + settings + message(b"Z", b"I"))
    column = b"n\0" + struct.pack("!IhIhih", 0, 0, 23, 4, -1, 0)
    while query := s.recv(4096):
        if query[:1] == b"X":
            return
        s.sendall(message(b"T", struct.pack("!h", 1) + column) + message(b"D", struct.pack("!hI", 1, 1) + b"1") +
                  message(b"C", b"SELECT 1\0") + message(b"Z", b"I"))


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        while True:
            raw, _ = listener.accept()
            with raw:
                try:
                    serve(raw, context)
                except (OSError, ssl.SSLError):
                    pass


main()
