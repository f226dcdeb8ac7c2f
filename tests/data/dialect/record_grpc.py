"""tests/data/dialect/record_grpc.py - writes down both directions of one connection to a gRPC server; for record_triton.py and
record_vectors.py."""
import os
import socket
import threading

from record import HERE


def pump(src, dst, data):
    try:
        while piece := src.recv(65536):
            data.append(piece)
            dst.sendall(piece)
    except OSError:
        pass  # one side is gone: the recording is over


def record_grpc(name, call, port):
    """Between call(address)'s client and the server on port stands what writes NAME.req and NAME.res."""
    listener = socket.create_server(("127.0.0.1", 0))
    sides = [[], []]

    def serve():
        conn, _ = listener.accept()
        up = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=pump, args=(conn, up, sides[0]), daemon=True).start()
        threading.Thread(target=pump, args=(up, conn, sides[1]), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    call("127.0.0.1:%d" % listener.getsockname()[1])
    for suffix, data in zip((".req", ".res"), sides):
        with open(os.path.join(HERE, name + suffix), "wb") as f:
            f.write(b"".join(data))
