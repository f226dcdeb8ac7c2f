/* user/parse/websocket.h - messages of one direction of a WebSocket (RFC 6455), with
 * permessage-deflate (RFC 7692). Owns one message of carry-over, capped by max_message. Control
 * frames are passed over. Input is hostile and may be cut or interrupted anywhere.
 */
#pragma once

#include "parse/coding.h"

struct websocket_opts {
	bool masked;   /* client to server */
	bool deflate;  /* permessage-deflate was agreed on */
	bool takeover; /* and its messages refer back into earlier ones */
	/* Its beginning was not seen: until the first frame is found, one that stands at the
	 * beginning of what is fed is taken, too (websocket_probe()). */
	bool joined;
	size_t max_message;
	unsigned max_ratio; /* of decompression */
	uint64_t *left;	    /* struct coding_limits; may be NULL */
};

struct websocket_message {
	struct span data; /* unmasked, decompressed, its fragments joined */
	bool binary;
	bool damaged; /* bytes of it are missing, or the cap cut it */
};

/* The message is borrowed until it returns. */
typedef void websocket_fn(void *ctx, const struct websocket_message *m);

struct websocket_stats {
	uint64_t messages, cut; /* cut: by the cap */
	uint64_t broken; /* frames that break the protocol, messages that do not decompress */
	uint64_t resynced;
};

struct websocket;

/* -ENOMEM. */
int websocket_new(struct websocket **ret, const struct websocket_opts *opts, websocket_fn *fn,
		  void *ctx);
void websocket_free(struct websocket **w);
/* Consumes all of in. Any split of the same bytes gives the same callbacks. 0, -ENOMEM (a message
 * is damaged for it). Bytes that break the protocol are counted; the next plain text frame that
 * holds a JSON object is looked for then.
 */
int websocket_feed(struct websocket *w, struct span in);
/* n bytes were lost here (0: nobody knows how many). Inside a frame's payload reading goes on
 * behind them, else as for broken bytes. What a compressed message lost is '?' in those that refer
 * to it, which are damaged.
 */
void websocket_gap(struct websocket *w, uint64_t n);
/* No more bytes will come: an unfinished message is given out damaged. */
void websocket_end(struct websocket *w);
bool websocket_closed(const struct websocket *w); /* a Close frame came */
const struct websocket_stats *websocket_stats(const struct websocket *w);

/* Does a whole record, from the middle of a connection, begin with a frame? A text or binary
 * message that is a JSON object; or frames up to the record's end, a compressed text among them.
 * Then *ret_masked says which side sent it.
 */
bool websocket_probe(struct span record, bool *ret_masked);

/* What the Sec-WebSocket-Extensions field of an accepting response agrees on: 1 permessage-deflate,
 * and whether the client's and the server's messages refer back; 0 something else or nothing.
 */
int websocket_extensions(struct span value, bool *ret_client, bool *ret_server);
