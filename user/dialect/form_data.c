/* user/dialect/form_data.c - parts of a form become values. Owns the multipart reader and the names
 * of the part in hand.
 */
#include "dialect/form_data.h"

#include <errno.h>

#include "base/utf8.h"
#include "dialect/reading.h"
#include "parse/multipart.h"

#define OUT_MAX 1024 /* bytes of clean text given on at a time */

struct form_data {
	struct multipart *multipart;
	struct port *port;
	enum { PART_FIELD, PART_FILE, PART_TEXT, PART_LINES, PART_BINARY } kind;
	char name[64];
	/* Of a file, until its first byte tells what it is. */
	char filename[TURN_ID_MAX], type[64];
	struct shapes *fields; /* the form's own, while a file of lines is read */
	bool first;
	struct utf8 utf8;
};

static bool has_suffix(struct span s, const char *with)
{
	struct span end = span_str(with);

	return s.len >= end.len && span_eq_nocase(span_sub(s, s.len - end.len, end.len), end);
}

/* By what it is said to be, else by its name. */
static bool is_text(struct span type, struct span filename)
{
	static const char *const types[] = { "text/", "application/json", "application/x-ndjson",
					     "application/jsonl", "application/xml" };
	static const char *const suffixes[] = {
		".jsonl", ".json", ".txt", ".md", ".csv", ".tsv", ".html", ".xml", ".yaml",
		".yml",	  ".py",   ".js",  ".ts", ".c",	  ".go",  ".rs",   ".sh",  ".log"
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (span_eq_nocase(span_sub(type, 0, strlen(types[i])), span_str(types[i])))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (has_suffix(filename, suffixes[i]))
			return true;
	return false;
}

/* A piece of the part's text, clean. */
static void say(struct form_data *f, struct span text, bool last)
{
	struct json_event e = { .kind = JSON_STRING,
				.path = f->name,
				.path_len = strlen(f->name),
				.path_hash = json_path_hash(f->name),
				.text = text,
				.first = f->first,
				.last = last };

	f->first = false;
	if (f->kind == PART_FIELD)
		reading_event_of(f->port, &e);
	else
		reading_add(f->port->of,
			    reading_segment(f->port->of, FIELD_DOCUMENT, f->port->part), &e);
}

/* Bytes become valid UTF-8. */
static void clean(struct form_data *f, struct span in)
{
	uint8_t out[OUT_MAX];
	size_t n;

	while ((n = utf8_clean(&f->utf8, &in, out, sizeof(out))) != 0)
		say(f, span_of(out, n), false);
	explicit_bzero(out, sizeof(out));
}

static void on_part(void *ctx, const struct multipart_part *p)
{
	struct form_data *f = ctx;
	struct reading *r = f->port->of;

	r->now = f->port;
	f->first = true;
	utf8_end(&f->utf8);
	turn_id(f->name, sizeof(f->name), p->name);
	if (!p->filename.len) {
		f->kind = PART_FIELD;
		return;
	}
	f->kind = PART_FILE;
	turn_id(f->filename, sizeof(f->filename), p->filename);
	turn_id(f->type, sizeof(f->type), p->type);
}

/* A file of JSON lines, a text, or neither. */
static void file_begin(struct form_data *f, struct span first)
{
	struct reading *r = f->port->of;

	if (r->form->lines && first.len && *first.p == '{') {
		f->kind = PART_LINES;
		f->fields = f->port->shapes;
		f->port->shapes = r->form->lines;
		json_reset(f->port->json);
		return;
	}
	f->port->message = f->port->n_items++;
	f->kind = is_text(span_str(f->type), span_str(f->filename)) ? PART_TEXT : PART_BINARY;
	if (f->kind == PART_TEXT) {
		struct segment *seg = reading_new_segment(r, FIELD_DOCUMENT, f->port->part);

		if (seg)
			turn_id(seg->name, sizeof(seg->name), span_str(f->filename));
		return;
	}
	reading_media_begin(r, SKIP_FILE, span_str(f->type), span_str(f->filename));
}

static void on_data(void *ctx, struct span data)
{
	struct form_data *f = ctx;

	f->port->of->now = f->port;
	if (f->kind == PART_FILE)
		file_begin(f, data);
	if (f->kind == PART_BINARY)
		reading_media_bytes(f->port->of, data);
	else if (f->kind == PART_LINES)
		json_feed(f->port->json, data);
	else
		clean(f, data);
}

static void on_end(void *ctx, bool damaged)
{
	struct form_data *f = ctx;

	f->port->of->now = f->port;
	if (f->kind == PART_FILE)
		file_begin(f, (struct span){ 0 });
	if (f->kind == PART_LINES) {
		f->port->of->t.json_broken += json_end(f->port->json) != 0;
		f->port->shapes = f->fields;
		return;
	}
	if (f->kind == PART_BINARY) {
		reading_media_end(f->port->of);
		return;
	}
	if (utf8_end(&f->utf8))
		say(f, SPAN_LIT("\xef\xbf\xbd"), false);
	say(f, (struct span){ 0 }, true);
	if (damaged && f->port->has_last)
		f->port->of->t.segments[f->port->last].damaged = true;
}

int form_data_new(struct form_data **ret, struct span content_type, struct port *port)
{
	static const struct multipart_ops ops = { on_part, on_data, on_end };
	struct form_data *f;
	struct span boundary;
	int err;

	if (multipart_boundary(content_type, &boundary) != 1)
		return 0;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->port = port;
	err = multipart_new(&f->multipart, boundary, &ops, f);
	if (err) {
		free(f);
		return err == -EINVAL ? 0 : err;
	}
	*ret = f;
	return 1;
}

void form_data_free(struct form_data **f)
{
	if (!*f)
		return;
	multipart_free(&(*f)->multipart);
	explicit_bzero(*f, sizeof(**f));
	free(*f);
	*f = NULL;
}

void form_data_feed(struct form_data *f, struct span in)
{
	multipart_feed(f->multipart, in);
}

void form_data_gap(struct form_data *f, uint64_t n)
{
	if (f->kind == PART_LINES)
		json_gap(f->port->json, n);
	multipart_gap(f->multipart, n);
}

void form_data_end(struct form_data *f)
{
	multipart_end(f->multipart);
}
