#!/usr/bin/env python3
"""tests/data/dialect/record_triton.py - records exchanges with Triton as the tritonclient package has them: by HTTP against the
responses written here, by gRPC against a server made of the package's own protobuf. What record.py says of its recordings holds
for these. Needs `pip install tritonclient[all] openai anthropic google-genai ollama`.
"""
import http.client
import json
import socket
import struct
import sys
import threading
import time
from concurrent import futures

import grpc
import numpy
import tritonclient.grpc
import tritonclient.http
from tritonclient.grpc import service_pb2, service_pb2_grpc

from record import UVICORN, head, plain, stream
from record_families import record
from record_grpc import record_grpc

HOST = "127.0.0.1:8000"


def elements(*texts):
    return b"".join(struct.pack("<I", len(t)) + t for t in texts)


def tensors(module, binary=None):
    more = {} if binary is None else {"binary_data": binary}
    text = module.InferInput("text_input", [2, 1], "BYTES")
    text.set_data_from_numpy(numpy.array([["Once upon"], ["Grüße"]], dtype=object), **more)
    image = module.InferInput("image", [1], "BYTES")
    image.set_data_from_numpy(numpy.array([b"\x89PNG\r\n\x1a\n\x00\x01"], dtype=object), **more) if binary is not False else None
    most = module.InferInput("max_tokens", [1, 1], "INT32")
    most.set_data_from_numpy(numpy.array([[20]], dtype=numpy.int32), **more)
    return [text, most] + ([image] if binary is not False else [])


def post(url, target, body):
    conn = http.client.HTTPConnection(url)
    conn.request("POST", target, json.dumps(body), {"Content-Type": "application/json"})
    conn.getresponse().read()


def http_calls(url):
    c = tritonclient.http.InferenceServerClient(url)
    kind = [("Content-Type", "application/json")]
    raw = elements(b" a time", b" an Anna")
    top = json.dumps({"id": "7", "model_name": "llm", "model_version": "1", "outputs": [
        {"name": "score", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}},
        {"name": "text_output", "datatype": "BYTES", "shape": [2, 1], "parameters": {"binary_data_size": len(raw)}}]}).encode()
    answer = head("200 OK", [("Content-Type", "application/octet-stream"), ("Inference-Header-Content-Length", len(top)),
                             ("Content-Length", len(top) + 8 + len(raw))]) + top + b"\0" * 8 + raw

    yield "triton_binary", HOST, lambda: c.infer("llm", tensors(tritonclient.http, True), request_id="7"), answer
    yield "triton_json", HOST, lambda: c.infer("llm", tensors(tritonclient.http, False), outputs=[
        tritonclient.http.InferRequestedOutput("text_output", binary_data=False)]), plain(
        {"model_name": "llm", "model_version": "1", "outputs": [
            {"name": "text_output", "datatype": "BYTES", "shape": [2, 1], "data": [" a time", " an Anna"]}]}, fields=UVICORN)
    yield "triton_error", HOST, lambda: c.infer("nothing", tensors(tritonclient.http, False)), plain(
        {"error": "Request for unknown model: 'nothing' is not found"}, "400 Bad Request", UVICORN)
    yield "triton_load", HOST, lambda: c.load_model("llm"), head("200 OK", kind + [("Content-Length", "0")])
    yield "triton_generate", HOST, lambda: post(url, "/v2/models/llm/generate", {"text_input": "Once upon", "parameters": {"stream": False}}), plain(
        {"model_name": "llm", "model_version": "1", "text_output": " a time"}, fields=UVICORN)
    yield "triton_generate_stream", HOST, lambda: post(url, "/v2/models/llm/generate_stream", {"text_input": "Once", "stream": True}), stream(
        [{"model_name": "llm", "model_version": "1", "text_output": t} for t in (" upön", " a", " time")], UVICORN, done=False)


class Server(service_pb2_grpc.GRPCInferenceServiceServicer):
    def answer(self, request, raw):
        out = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id)
        for name, kind in (("text_output", "BYTES"), ("score", "FP32")):
            t = out.outputs.add()
            t.name, t.datatype = name, kind
            t.shape.extend([1])
        out.raw_output_contents.extend([raw, b"\0\0\0\0"])
        return out

    def ModelInfer(self, request, context):
        if request.model_name == "nothing":
            context.abort(grpc.StatusCode.NOT_FOUND, "Request for unknown model: 'nothing' is not found")
        return self.answer(request, elements(b" a time"))

    def ModelStreamInfer(self, requests, context):
        for request in requests:
            for piece in (b" a", b" t\xc3\xaf", b"me"):
                yield service_pb2.ModelStreamInferResponse(infer_response=self.answer(request, elements(piece)))

    def RepositoryModelLoad(self, request, context):
        return service_pb2.RepositoryModelLoadResponse()


def grpc_infer(c):
    c.infer("llm", tensors(tritonclient.grpc), request_id="7")


def grpc_error(c):
    c.infer("nothing", tensors(tritonclient.grpc))


def grpc_stream(c):
    done = threading.Event()
    seen = []

    def each(result, error):
        seen.append(result)
        if len(seen) == 3:
            done.set()

    c.start_stream(callback=each)
    c.async_stream_infer("llm", tensors(tritonclient.grpc)[:1], request_id="8")
    done.wait(5)
    c.stop_stream()


def grpc_load(c):
    c.load_model("llm")


def record_call(name, call, port):
    def run(address):
        # The authority is part of what is compressed: it stands for itself.
        client = tritonclient.grpc.InferenceServerClient(address, channel_args=[("grpc.default_authority", "127.0.0.1:8001")])
        try:
            call(client)
        except tritonclient.grpc.InferenceServerException as e:
            print(name, e, file=sys.stderr)
        time.sleep(0.2)
        client.close()

    record_grpc(name, run, port)


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    url = "127.0.0.1:%d" % listener.getsockname()[1]
    for row in http_calls(url):
        if len(sys.argv) < 2 or row[0].startswith(sys.argv[1]):
            record(*row, listener)
    server = grpc.server(futures.ThreadPoolExecutor(4))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Server(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    for call in (grpc_infer, grpc_error, grpc_stream, grpc_load):
        record_call("triton_" + call.__name__, call, port)
    server.stop(None)


if __name__ == "__main__":
    main()
