/* tests/bench/json_peers.c - jansson, and yyjson where its header is. */
#include "json_peers.h"

#include <jansson.h>
#ifdef WITH_YYJSON
#include <yyjson.h>
#endif

int peer_jansson(struct span in)
{
	json_t *doc = json_loadb((const char *)in.p, in.len, JSON_DECODE_ANY, NULL);

	json_decref(doc);
	return doc ? 0 : -1;
}

#ifdef WITH_YYJSON
int peer_yyjson(struct span in)
{
	yyjson_doc *doc = yyjson_read((const char *)in.p, in.len, 0);

	yyjson_doc_free(doc);
	return doc ? 0 : -1;
}
#endif
