#!/usr/bin/env python3
"""tests/data/dialect/record_vectors.py - records calls of vector databases by gRPC, with the messages of their own Python packages,
against a server that gives the answers written here. What record.py says of its recordings holds for these.
Needs `pip install pymilvus qdrant-client weaviate-client grpcio openai anthropic google-genai ollama`. Pinecone's messages are not in
its package any more: pinecone_grpc is made from the numbers in its vector_service.proto.
"""
import json
import struct
import sys
import time
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2
from pymilvus.client.types import DataType
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2
from qdrant_client import grpc as qdrant
from weaviate.proto.v1.v6300.v1 import batch_pb2, generative_pb2, properties_pb2, search_get_pb2, weaviate_pb2

from record_grpc import record_grpc

VECTOR = [0.25, -1.5, 3.0]
PLAIN = "The pump is in the cellar."
NESTED = {"text": PLAIN, "page": 3, "tags": ["water", "Grüße"], "by": {"name": "Ada", "notes": [{"said": "mind the step"}]}}


def milvus_columns():
    text = schema_pb2.FieldData(type=DataType.VARCHAR, field_name="text")
    text.scalars.string_data.data.extend([PLAIN, "The key hangs by the door."])
    tags = schema_pb2.FieldData(type=DataType.ARRAY, field_name="tags")
    tags.scalars.array_data.data.add().string_data.data.extend(["water", "cellar"])
    more = schema_pb2.FieldData(type=DataType.JSON, field_name="$meta", is_dynamic=True)
    more.scalars.json_data.data.append(json.dumps({"note": "mind the step"}).encode())
    vector = schema_pb2.FieldData(type=DataType.FLOAT_VECTOR, field_name="vector")
    vector.vectors.dim = 3
    vector.vectors.float_vector.data.extend(VECTOR)
    return [text, tags, more, vector]


def milvus_placeholder(kind, values):
    return common_pb2.PlaceholderGroup(placeholders=[
        common_pb2.PlaceholderValue(tag="$0", type=kind, values=values)]).SerializeToString()


def milvus():
    m = milvus_pb2
    done = m.MutationResult(insert_cnt=2)
    hits = m.SearchResults(results=schema_pb2.SearchResultData(num_queries=1, top_k=1, fields_data=milvus_columns()[:3], scores=[0.5]))
    text = milvus_placeholder(common_pb2.PlaceholderType.Value("VarChar"), ["where is the pump?".encode()])
    vector = milvus_placeholder(common_pb2.PlaceholderType.FloatVector, [struct.pack("<3f", *VECTOR)])
    call = lambda name: "/milvus.proto.milvus.MilvusService/" + name
    yield "milvus_grpc_insert", call("Insert"), m.InsertRequest(collection_name="manuals", num_rows=2, fields_data=milvus_columns()), done
    yield "milvus_grpc_search", call("Search"), m.SearchRequest(collection_name="manuals", placeholder_group=text, nq=1), hits
    yield "milvus_grpc_vector", call("Search"), m.SearchRequest(collection_name="manuals", placeholder_group=vector, nq=1), hits
    yield "milvus_grpc_hybrid", call("HybridSearch"), m.HybridSearchRequest(
        collection_name="manuals", requests=[m.SearchRequest(placeholder_group=text), m.SearchRequest(placeholder_group=vector)]), hits
    yield "milvus_grpc_query", call("Query"), m.QueryRequest(collection_name="manuals", expr="page > 2"), m.QueryResults(
        fields_data=milvus_columns())


def qdrant_value(v):
    if isinstance(v, dict):
        return qdrant.Value(struct_value=qdrant.Struct(fields={k: qdrant_value(x) for k, x in v.items()}))
    if isinstance(v, list):
        return qdrant.Value(list_value=qdrant.ListValue(values=[qdrant_value(x) for x in v]))
    return qdrant.Value(integer_value=v) if isinstance(v, int) else qdrant.Value(string_value=v)


def qdrant_calls():
    payload = {k: qdrant_value(v) for k, v in NESTED.items()}
    vectors = qdrant.Vectors(vector=qdrant.Vector(dense=qdrant.DenseVector(data=VECTOR)))
    embedded = qdrant.Vectors(vector=qdrant.Vector(document=qdrant.Document(text="embed me", model="small")))
    points = [qdrant.PointStruct(id=qdrant.PointId(uuid="5c56c793-69f3-4fbf-87e6-c4bf54c28c26"), payload=payload, vectors=vectors),
              qdrant.PointStruct(id=qdrant.PointId(num=2), payload={"text": qdrant_value("second")}, vectors=embedded)]
    hit = qdrant.ScoredPoint(id=qdrant.PointId(num=2), payload=payload, score=0.5)
    query = qdrant.Query(nearest=qdrant.VectorInput(document=qdrant.Document(text="where is the pump?", model="small")))
    done = qdrant.PointsOperationResponse(time=0.1)
    call = lambda name: "/qdrant.Points/" + name
    yield "qdrant_grpc_upsert", call("Upsert"), qdrant.UpsertPoints(collection_name="manuals", points=points), done
    yield "qdrant_grpc_payload", call("SetPayload"), qdrant.SetPayloadPoints(collection_name="manuals", payload=payload), done
    yield "qdrant_grpc_batch", call("UpdateBatch"), qdrant.UpdateBatchPoints(collection_name="manuals", operations=[
        qdrant.PointsUpdateOperation(upsert=qdrant.PointsUpdateOperation.PointStructList(points=points[1:]))]), qdrant.UpdateBatchResponse()
    yield "qdrant_grpc_query", call("Query"), qdrant.QueryPoints(collection_name="manuals", query=query), qdrant.QueryResponse(
        result=[hit, hit])
    yield "qdrant_grpc_groups", call("QueryGroups"), qdrant.QueryPointGroups(
        collection_name="manuals", query=query, group_by="page"), qdrant.QueryGroupsResponse(
            result=qdrant.GroupsResult(groups=[qdrant.PointGroup(hits=[hit])]))
    yield "qdrant_grpc_query_batch", call("QueryBatch"), qdrant.QueryBatchPoints(
        collection_name="manuals", query_points=[qdrant.QueryPoints(collection_name="manuals", query=query)]), qdrant.QueryBatchResponse(
            result=[qdrant.BatchResult(result=[hit])])
    yield "qdrant_grpc_search", call("Search"), qdrant.SearchPoints(collection_name="manuals", vector=VECTOR), qdrant.SearchResponse(
        result=[hit])
    yield "qdrant_grpc_scroll", call("Scroll"), qdrant.ScrollPoints(collection_name="manuals"), qdrant.ScrollResponse(
        result=[qdrant.RetrievedPoint(id=qdrant.PointId(num=7), payload=payload)])


def found_value(v):
    p = properties_pb2
    if isinstance(v, dict):
        return p.Value(object_value=p.Properties(fields={k: found_value(x) for k, x in v.items()}))
    if isinstance(v, list) and isinstance(v[0], dict):
        return p.Value(list_value=p.ListValue(object_values=p.ObjectValues(values=[found_value(x).object_value for x in v])))
    if isinstance(v, list):
        return p.Value(list_value=p.ListValue(text_values=p.TextValues(values=v)))
    return p.Value(int_value=v) if isinstance(v, int) else p.Value(text_value=v)


def weaviate():
    flat = struct_pb2.Struct()
    flat.update({"text": PLAIN, "page": 3})
    inner = struct_pb2.Struct()
    inner.update({"name": "Ada"})
    b, s = batch_pb2, search_get_pb2
    base = sys.modules["weaviate.proto.v1.v6300.v1.base_pb2"]
    written = b.BatchObject.Properties(
        non_ref_properties=flat,
        text_array_properties=[base.TextArrayProperties(prop_name="tags", values=["water", "Grüße"])],
        object_properties=[base.ObjectProperties(prop_name="by", value=base.ObjectPropertiesValue(non_ref_properties=inner))])
    objects = [b.BatchObject(uuid="5c56c793-69f3-4fbf-87e6-c4bf54c28c26", collection="Manuals", properties=written,
                             vector_bytes=struct.pack("<3f", *VECTOR))]
    found = s.PropertiesResult(non_ref_props=found_value(NESTED).object_value)
    reply = s.SearchReply(results=[s.SearchResult(properties=found, metadata=s.MetadataResult(id="5c56c793"), generative=generative_pb2.GenerativeResult(
        values=[generative_pb2.GenerativeReply(result="In the cellar.")]))])
    call = lambda name: "/weaviate.v1.Weaviate/" + name
    base_search = sys.modules["weaviate.proto.v1.v6300.v1.base_search_pb2"]
    yield "weaviate_grpc_batch", call("BatchObjects"), b.BatchObjectsRequest(objects=objects), b.BatchObjectsReply(took=0.1)
    yield "weaviate_grpc_near_text", call("Search"), s.SearchRequest(
        collection="Manuals", near_text=base_search.NearTextSearch(query=["where is the pump?"]), generative=generative_pb2.GenerativeSearch(
            single=generative_pb2.GenerativeSearch.Single(prompt="Say where {text} is."))), reply
    yield "weaviate_grpc_hybrid", call("Search"), s.SearchRequest(
        collection="Manuals", hybrid_search=base_search.Hybrid(query="pump")), reply


def pinecone_messages():
    """The messages that are used here, as vector_service.proto has them."""
    file = descriptor_pb2.FileDescriptorProto(name="vector_service.proto", syntax="proto3", dependency=["google/protobuf/struct.proto"])
    kinds = {"s": 9, "f": 2, "u": 13}
    for name, fields in {
            "Vector": "1 id s, 2 values *f, 3 metadata .google.protobuf.Struct",
            "ScoredVector": "1 id s, 2 score f, 3 values *f, 4 metadata .google.protobuf.Struct",
            "UpsertRequest": "1 vectors *.Vector, 2 namespace s",
            "UpsertResponse": "1 upserted_count u",
            "QueryRequest": "1 namespace s, 2 top_k u, 7 vector *f",
            "QueryResponse": "2 matches *.ScoredVector, 3 namespace s"}.items():
        message = file.message_type.add(name=name)
        for field in fields.split(", "):
            number, label, kind = field.split()
            many, kind = kind.startswith("*"), kind.lstrip("*")
            message.field.add(name=label, number=int(number), label=3 if many else 1, type=kinds.get(kind, 11),
                              type_name=kind if kind.startswith(".") else None)
    pool = descriptor_pool.Default()
    pool.Add(file)
    return {m.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(m.name)) for m in file.message_type}


def pinecone():
    m = pinecone_messages()
    meta = struct_pb2.Struct()
    meta.update(NESTED)
    call = lambda name: "/VectorService/" + name
    yield "pinecone_grpc_upsert", call("Upsert"), m["UpsertRequest"](namespace="manuals", vectors=[
        m["Vector"](id="a1", values=VECTOR, metadata=meta)]), m["UpsertResponse"](upserted_count=1)
    yield "pinecone_grpc_query", call("Query"), m["QueryRequest"](namespace="manuals", top_k=1, vector=VECTOR), m["QueryResponse"](
        matches=[m["ScoredVector"](id="a1", score=0.5, metadata=meta)])


def main():
    rows = [*milvus(), *qdrant_calls(), *weaviate(), *pinecone()]
    answer = None

    class Any(grpc.GenericRpcHandler):
        def service(self, details):
            return grpc.unary_unary_rpc_method_handler(lambda request, context: answer.SerializeToString())

    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Any()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    for name, method, request, answer in rows:
        def run(address):
            # The authority is part of what is compressed: it stands for itself.
            with grpc.insecure_channel(address, options=[("grpc.default_authority", "127.0.0.1:19530")]) as channel:
                channel.unary_unary(method)(request.SerializeToString(), timeout=5)
                time.sleep(0.1)

        if len(sys.argv) < 2 or name.startswith(sys.argv[1]):
            record_grpc(name, run, port)
    server.stop(None)


if __name__ == "__main__":
    main()
