/* user/dialect/media.c - images, audio and files: what they are, their size and hash; a file that
 * is text, or text packed in base64, becomes a segment. Owns the hash of the one in hand.
 */
#include "dialect/reading_own.h"

#include <ctype.h>

#include "base/base64.h"

#define UNPACK_MAX 512
#define PACKED_MIN 16 /* bytes from which on what decodes to text is one */

/* --- types */

enum skipped media_of(struct span type)
{
	static const struct {
		const char *begins;
		enum skipped what;
	} rows[] = {
		{ "image/", SKIP_IMAGE },
		{ "audio/", SKIP_AUDIO },
		{ "video/", SKIP_VIDEO },
		{ "application/pdf", SKIP_FILE },
		{ "application/octet-stream", SKIP_FILE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (span_eq_nocase(span_sub(type, 0, strlen(rows[i].begins)),
				   span_str(rows[i].begins)))
			return rows[i].what;
	return SKIP_MAX_;
}

/* What a file is may be told behind it, or by the part's type only. */
static void retype(struct turn *t, struct attached *a, const char *type)
{
	enum skipped what = media_of(span_str(a->media_type));

	if (what == SKIP_MAX_ && !a->media_type[0] && !strcmp(type, "image"))
		what = SKIP_IMAGE;
	if (a->what != SKIP_FILE || what == SKIP_MAX_ || what == a->what)
		return;
	t->skipped[a->what] -= a->size;
	t->skipped[what] += a->size;
	a->what = what;
}

void media_named(struct turn *t, const struct item *item)
{
	for (size_t i = item->media; i < turn_attachments(t); i++) {
		struct attached *a = &t->attachments[i];

		if (!a->media_type[0])
			memcpy(a->media_type, item->media_type, sizeof(a->media_type));
		if (!a->name[0])
			memcpy(a->name, item->name, sizeof(a->name));
		retype(t, a, item->type);
	}
}

/* --- bytes */

static bool is_base64(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum(s.p[i]) && !strchr("+/=-_\r\n", s.p[i]))
			return false;
	return true;
}

/* What a URL says of itself: the media type of data:, or where it leads. Returns where data begins.
 */
static size_t media_url(struct attached *a, struct span head)
{
	const uint8_t *comma = memchr(head.p, ',', head.len), *end;
	struct span rest = span_sub(head, 5, head.len);

	if (!span_eq_nocase(span_sub(head, 0, 5), SPAN_LIT("data:")) || !comma)
		return 0;
	rest.len = (size_t)(comma - rest.p);
	end = memchr(rest.p, ';', rest.len);
	if (end)
		rest.len = (size_t)(end - rest.p);
	if (a)
		turn_id(a->media_type, sizeof(a->media_type), rest);
	return (size_t)(comma - head.p) + 1;
}

static bool is_reference(struct span head)
{
	static const char *const schemes[] = { "http://", "https://", "gs://", "s3://" };

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (span_starts(head, span_str(schemes[i])))
			return true;
	return false;
}

/* Base64 whose bytes are text: a document that was only packed for the way. */
static bool is_packed_text(struct span base64)
{
	uint8_t bytes[MEDIA_HEAD_MAX];
	size_t whole = base64.len & ~(size_t)3;
	struct span text =
	    span_of(bytes, base64_decode(bytes, span_sub(base64, 0, MIN(whole, sizeof(bytes)))));

	return text.len >= PACKED_MIN && !span_starts(text, SPAN_LIT("%PDF-")) &&
	       utf8_is_text(text, true);
}

static void unpack(struct reading *r, struct span base64)
{
	struct segment *seg = reading_segment(r, FIELD_DOCUMENT, r->now->part);
	struct unpack *u = &r->now->media.unpack;
	uint8_t bytes[UNPACK_MAX], text[UNPACK_MAX];

	while (base64.len) {
		struct span in = span_of(bytes, 0);
		size_t n;

		for (; base64.len && in.len < sizeof(bytes);
		     base64 = span_sub(base64, 1, base64.len)) {
			uint8_t sextet = base64_sextets[base64.p[0]];

			if (!sextet)
				continue; /* line ends, padding */
			u->bits = u->bits << 6 | (sextet - 1u);
			u->n_bits += 6;
			if (u->n_bits < 8)
				continue;
			u->n_bits -= 8;
			bytes[in.len++] = (uint8_t)(u->bits >> u->n_bits);
		}
		while ((n = utf8_clean(&u->utf8, &in, text, sizeof(text))) != 0)
			turn_text(&r->t, seg, span_of(text, n));
	}
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(text, sizeof(text));
}

void reading_media_bytes(struct reading *r, struct span data)
{
	struct port *port = r->now;

	if (port->media.state == MEDIA_TEXT) {
		turn_text(&r->t, reading_segment(r, FIELD_DOCUMENT, port->part), data);
		return;
	}
	if (port->media.state == MEDIA_PACKED) {
		unpack(r, data);
		return;
	}
	port->media.size += data.len;
	turn_skip(&r->t, port->media.what, data.len);
	if (port->media.hash)
		XXH3_128bits_update(port->media.hash, data.p, data.len);
}

void media_clear(struct port *port)
{
	if (port->media.hash)
		explicit_bzero(port->media.hash, sizeof(*port->media.hash));
	XXH3_freeState(port->media.hash);
	port->media.hash = NULL;
}

/* Without memory it is known by its size only. */
static void hash_begin(struct port *port)
{
	media_clear(port);
	if (port->media.to)
		port->media.hash = XXH3_createState();
	if (port->media.hash)
		XXH3_128bits_reset(port->media.hash);
}

static void media_settle(struct reading *r)
{
	struct port *port = r->now;
	struct span head = span_of(port->media.head, port->media.n);
	size_t from = media_url(NULL, head);

	port->media.state = MEDIA_DATA;
	/* A document may come as text. */
	if (port->media.what == SKIP_FILE && !from && !is_base64(head))
		port->media.state = MEDIA_TEXT;
	else if (port->media.what == SKIP_FILE && is_packed_text(span_sub(head, from, head.len)))
		port->media.state = MEDIA_PACKED;
	if (port->media.state != MEDIA_DATA) {
		port->media.unpack = (struct unpack){ 0 };
		reading_new_segment(r, FIELD_DOCUMENT, port->part);
	} else {
		port->media.to = turn_attachment(&r->t, port->media.what, port->side);
		if (port->media.to)
			port->media.to->message = port->message;
		media_url(port->media.to, head);
		hash_begin(port);
	}
	reading_media_bytes(r, span_sub(head, from, head.len));
}

void reading_media_end(struct reading *r)
{
	struct port *port = r->now;
	struct attached *a = port->media.to;
	XXH128_canonical_t hash;

	if (port->media.state == MEDIA_DATA && a)
		a->size = port->media.size;
	if (port->media.state == MEDIA_DATA && port->media.hash) {
		XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(port->media.hash));
		memcpy(a->hash, hash.digest, sizeof(a->hash));
	}
	if (port->media.state == MEDIA_PACKED && utf8_end(&port->media.unpack.utf8))
		turn_text(&r->t, reading_segment(r, FIELD_DOCUMENT, port->part),
			  SPAN_LIT("\xef\xbf\xbd"));
	media_clear(port);
	port->media.state = MEDIA_NONE;
	port->media.to = NULL;
}

static void media_begin(struct reading *r, enum skipped what)
{
	r->now->media.state = MEDIA_HEAD;
	r->now->media.what = what;
	r->now->media.n = 0;
	r->now->media.size = 0;
}

void reading_media_begin(struct reading *r, enum skipped what, struct span type, struct span name)
{
	struct port *port = r->now;
	enum skipped told = media_of(type);

	media_begin(r, told == SKIP_MAX_ ? what : told);
	port->media.state = MEDIA_DATA;
	port->media.to = turn_attachment(&r->t, port->media.what, port->side);
	hash_begin(port);
	if (!port->media.to)
		return;
	port->media.to->message = port->message;
	turn_id(port->media.to->media_type, sizeof(port->media.to->media_type), type);
	turn_id(port->media.to->name, sizeof(port->media.to->name), name);
}

static void media_reference(struct reading *r)
{
	struct port *port = r->now;
	struct span head = span_of(port->media.head, port->media.n);
	struct attached *a = turn_attachment(&r->t, port->media.what, port->side);
	const uint8_t *query = memchr(head.p, '?', head.len);

	if (query)
		head.len = (size_t)(query - head.p);
	port->media.state = MEDIA_NONE;
	if (!a)
		return;
	a->message = port->message;
	turn_id(a->url, sizeof(a->url), head);
}

/* In a stream that tells things again, the event that counts. */
static bool counts(const struct reading *r)
{
	return !reading_retelling(r) || !strcmp(r->now->event.type, r->form->retold);
}

static void media(struct reading *r, const struct json_event *e, enum skipped what, bool reference)
{
	struct port *port = r->now;
	struct span data = e->text;

	if (e->kind != JSON_STRING || !counts(r))
		return;
	if (e->first) {
		reading_own_message(r, e);
		media_begin(r, what);
	}
	/* Enough of it must be there to tell what it is, however it is cut. */
	if (port->media.state == MEDIA_HEAD) {
		size_t n = MIN(data.len, sizeof(port->media.head) - port->media.n);

		memcpy(port->media.head + port->media.n, data.p, n);
		port->media.n += n;
		data = span_sub(data, n, data.len);
		if (port->media.n && (e->last || port->media.n == sizeof(port->media.head))) {
			if (reference || is_reference(span_of(port->media.head, port->media.n)))
				media_reference(r);
			else
				media_settle(r);
		}
	}
	if (port->media.state >= MEDIA_DATA)
		reading_media_bytes(r, data);
	if (e->last)
		reading_media_end(r);
}

void reading_media(struct reading *r, const struct json_event *e, unsigned arg)
{
	media(r, e, arg, false);
}

void reading_media_ref(struct reading *r, const struct json_event *e, unsigned arg)
{
	media(r, e, arg, true);
}

void reading_skip(struct reading *r, const struct json_event *e, unsigned arg)
{
	if ((e->kind == JSON_STRING || e->kind == JSON_NUMBER) && counts(r))
		turn_skip(&r->t, arg, e->text.len);
}
