/* tests/drive_messages.c - the drivers of what divides a body into messages. */
#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "drive.h"
#include "parse/eventstream.h"
#include "parse/grpc.h"
#include "parse/multipart.h"
#include "parse/websocket.h"

#define MESSAGE_MAX 64
#define RATIO	    100

/* --- websocket: arg is who speaks, and how its messages are compressed */

struct drive_websocket {
	struct websocket *websocket;
	struct evlog *log;
};

static void on_websocket(void *ctx, const struct websocket_message *m)
{
	struct drive_websocket *d = ctx;

	promise(m->data.len <= MESSAGE_MAX);
	evlog_begin(d->log, "message%s%s ", m->binary ? " binary" : "",
		    m->damaged ? " damaged" : "");
	evlog_text(d->log, m->data);
	evlog_end(d->log);
}

static int websocket_open(void **ret, struct evlog *log, const char *arg)
{
	const struct websocket_opts opts = {
		.masked = !strncmp(arg, "client", 6),
		.deflate = strstr(arg, "deflate") || strstr(arg, "fresh"),
		.takeover = !strstr(arg, "fresh"),
		.max_message = MESSAGE_MAX,
		.max_ratio = RATIO,
	};
	struct drive_websocket *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->log = log;
	err = websocket_new(&d->websocket, &opts, on_websocket, d);
	if (err) {
		free(d);
		return err;
	}
	*ret = d;
	return 0;
}

static int websocket_drive(void *p, struct span in)
{
	int err = websocket_feed(((struct drive_websocket *)p)->websocket, in);

	promise(!err || err == -ENOMEM);
	return err;
}

static void websocket_drive_gap(void *p, uint64_t n)
{
	websocket_gap(((struct drive_websocket *)p)->websocket, n);
}

static void websocket_drive_end(void *p)
{
	struct drive_websocket *d = p;
	const struct websocket_stats *s = websocket_stats(d->websocket);

	websocket_end(d->websocket);
	evlog_line(d->log, "messages %llu cut %llu broken %llu resynced %llu%s",
		   (unsigned long long)s->messages, (unsigned long long)s->cut,
		   (unsigned long long)s->broken, (unsigned long long)s->resynced,
		   websocket_closed(d->websocket) ? " closed" : "");
}

static void websocket_drive_free(void *p)
{
	websocket_free(&((struct drive_websocket *)p)->websocket);
	free(p);
}

static const char *const websocket_args[] = {
	"server", "client", "server-deflate", "server-fresh", "client-deflate", "client-fresh", NULL
};
const struct driver driver_websocket = {
	"websocket",	     websocket_open,	   websocket_drive, websocket_drive_gap,
	websocket_drive_end, websocket_drive_free, websocket_args,
};

/* --- grpc: arg is grpc-encoding */

struct drive_grpc {
	struct grpc *grpc;
	struct evlog *log;
	bool deaf; /* it said so */
};

static void on_grpc(void *ctx, const struct grpc_message *m)
{
	struct drive_grpc *d = ctx;

	promise(m->data.len <= MESSAGE_MAX);
	evlog_begin(d->log, "message%s%s ", m->trailers ? " trailers" : "",
		    m->damaged ? " damaged" : "");
	evlog_text(d->log, m->data);
	evlog_end(d->log);
}

static int grpc_open(void **ret, struct evlog *log, const char *arg)
{
	const struct grpc_opts opts = {
		.coding = coding_named(span_str(arg)),
		.max_message = MESSAGE_MAX,
		.max_ratio = RATIO,
	};
	struct drive_grpc *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->log = log;
	err = grpc_new(&d->grpc, &opts, on_grpc, d);
	if (err) {
		free(d);
		return err;
	}
	*ret = d;
	return 0;
}

static int grpc_drive(void *p, struct span in)
{
	struct drive_grpc *d = p;
	int err = grpc_feed(d->grpc, in);

	promise(!err || err == -ENOMEM || err == -EBADMSG);
	promise(!d->deaf || err == -EBADMSG || !in.len);
	d->deaf |= err == -EBADMSG;
	return err == -ENOMEM ? err : 0;
}

static void grpc_drive_gap(void *p, uint64_t n)
{
	struct drive_grpc *d = p;

	d->deaf |= grpc_gap(d->grpc, n) == -EBADMSG;
}

static void grpc_drive_end(void *p)
{
	struct drive_grpc *d = p;
	const struct grpc_stats *s = grpc_stats(d->grpc);

	grpc_end(d->grpc);
	evlog_line(d->log, "messages %llu cut %llu broken %llu", (unsigned long long)s->messages,
		   (unsigned long long)s->cut, (unsigned long long)s->broken);
	evlog_line(d->log, "verdict%s", d->deaf ? " EBADMSG" : " ok");
}

static void grpc_drive_free(void *p)
{
	grpc_free(&((struct drive_grpc *)p)->grpc);
	free(p);
}

static const char *const grpc_args[] = { "identity", "gzip", "deflate", NULL };
const struct driver driver_grpc = { "grpc",	    grpc_open,	     grpc_drive, grpc_drive_gap,
				    grpc_drive_end, grpc_drive_free, grpc_args };

/* --- eventstream */

struct drive_eventstream {
	struct eventstream *eventstream;
	struct evlog *log;
};

static void on_eventstream(void *ctx, const struct eventstream_message *m)
{
	struct drive_eventstream *d = ctx;
	struct span headers = m->headers;
	struct eventstream_header h;

	promise(m->payload.len <= MESSAGE_MAX && m->headers.len <= EVENTSTREAM_HEADERS_MAX);
	evlog_begin(d->log, "message%s%s ", m->failure ? " failure" : "",
		    m->damaged ? " damaged" : "");
	evlog_text(d->log, m->type);
	evlog_text(d->log, SPAN_LIT("|"));
	evlog_text(d->log, m->payload);
	evlog_end(d->log);
	while (eventstream_header(&headers, &h) > 0) {
		promise(h.type < EVENTSTREAM_TYPE_MAX_ && h.name.len);
		evlog_begin(d->log, "header %d ", h.type);
		evlog_text(d->log, h.name);
		evlog_text(d->log, SPAN_LIT("="));
		evlog_text(d->log, h.value);
		evlog_end(d->log);
	}
}

static int eventstream_open(void **ret, struct evlog *log, const char *arg)
{
	struct drive_eventstream *d = calloc(1, sizeof(*d));
	int err;

	(void)arg;
	if (!d)
		return -ENOMEM;
	d->log = log;
	err = eventstream_new(&d->eventstream, MESSAGE_MAX, on_eventstream, d);
	if (err) {
		free(d);
		return err;
	}
	*ret = d;
	return 0;
}

static int eventstream_drive(void *p, struct span in)
{
	int err = eventstream_feed(((struct drive_eventstream *)p)->eventstream, in);

	promise(!err || err == -ENOMEM);
	return err;
}

static void eventstream_drive_gap(void *p, uint64_t n)
{
	eventstream_gap(((struct drive_eventstream *)p)->eventstream, n);
}

static void eventstream_drive_end(void *p)
{
	struct drive_eventstream *d = p;
	const struct eventstream_stats *s = eventstream_stats(d->eventstream);

	eventstream_end(d->eventstream);
	evlog_line(d->log, "messages %llu cut %llu broken %llu resynced %llu",
		   (unsigned long long)s->messages, (unsigned long long)s->cut,
		   (unsigned long long)s->broken, (unsigned long long)s->resynced);
}

static void eventstream_drive_free(void *p)
{
	eventstream_free(&((struct drive_eventstream *)p)->eventstream);
	free(p);
}

static const char *const eventstream_args[] = { "", NULL };
const struct driver driver_eventstream = {
	"eventstream",	       eventstream_open,       eventstream_drive, eventstream_drive_gap,
	eventstream_drive_end, eventstream_drive_free, eventstream_args,
};

/* --- multipart: arg is the boundary */

struct drive_multipart {
	struct multipart *multipart;
	struct evlog *log;
	bool open;
	uint64_t n_parts;
};

static void on_part(void *ctx, const struct multipart_part *p)
{
	struct drive_multipart *d = ctx;
	const struct {
		const char *name;
		struct span value;
	} rows[] = { { "name", p->name }, { "filename", p->filename }, { "type", p->type } };

	promise(!d->open && ++d->n_parts <= MULTIPART_PARTS_MAX);
	d->open = true;
	evlog_begin(d->log, "part");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!rows[i].value.len)
			continue;
		promise(rows[i].value.len <= MULTIPART_HEAD_MAX);
		evlog_text(d->log, SPAN_LIT(" "));
		evlog_text(d->log, span_str(rows[i].name));
		evlog_text(d->log, SPAN_LIT("="));
		evlog_text(d->log, rows[i].value);
	}
	evlog_end(d->log);
}

static void on_data(void *ctx, struct span data)
{
	struct drive_multipart *d = ctx;

	promise(d->open && data.len);
	evlog_piece(d->log, "data", data);
}

static void on_part_end(void *ctx, bool damaged)
{
	struct drive_multipart *d = ctx;

	promise(d->open);
	d->open = false;
	evlog_line(d->log, "end%s", damaged ? " damaged" : "");
}

static int multipart_open(void **ret, struct evlog *log, const char *arg)
{
	static const struct multipart_ops ops = { on_part, on_data, on_part_end };
	struct drive_multipart *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->log = log;
	err = multipart_new(&d->multipart, span_str(*arg ? arg : "b"), &ops, d);
	if (err) {
		free(d);
		return err;
	}
	*ret = d;
	return 0;
}

static int multipart_drive(void *p, struct span in)
{
	int err = multipart_feed(((struct drive_multipart *)p)->multipart, in);

	promise(!err || err == -ENOMEM);
	return err;
}

static void multipart_drive_gap(void *p, uint64_t n)
{
	multipart_gap(((struct drive_multipart *)p)->multipart, n);
}

static void multipart_drive_end(void *p)
{
	struct drive_multipart *d = p;
	const struct multipart_stats *s = multipart_stats(d->multipart);

	multipart_end(d->multipart);
	promise(!d->open);
	evlog_line(d->log, "parts %llu cut %llu", (unsigned long long)s->parts,
		   (unsigned long long)s->cut);
}

static void multipart_drive_free(void *p)
{
	multipart_free(&((struct drive_multipart *)p)->multipart);
	free(p);
}

static const char *const multipart_args[] = { "b", "--b-b", NULL };
const struct driver driver_multipart = {
	"multipart",	     multipart_open,	   multipart_drive, multipart_drive_gap,
	multipart_drive_end, multipart_drive_free, multipart_args,
};
