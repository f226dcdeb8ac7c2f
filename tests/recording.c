/* tests/recording.c - plays recorded exchanges and compares the turns with their goldens. */
#include "recording.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/own.h"
#include "nomem.h"

#define FILE_MAX (1 << 20)
#define LOSSES	 40 /* places of a side where bytes are lost */

static const char *const suffixes[] = { ".req", ".res" };

static uint8_t *load(const char *path, const char *suffix, size_t *ret_len)
{
	char name[300];
	auto_file FILE *f = NULL;
	uint8_t *p = malloc(FILE_MAX);

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	f = fopen(name, "re");
	if (!f || !p) {
		free(p);
		return NULL;
	}
	*ret_len = fread(p, 1, FILE_MAX, f);
	return p;
}

/* Bytes [from, to) of one side, without what is lost of them. */
static int send_part(struct wire *w, const struct recording *r, enum side side, size_t from,
		     size_t to, size_t piece, const struct loss *loss)
{
	enum ev_dir dir = side == SIDE_REQUEST ? EV_WRITE : EV_READ;
	struct span all = span_of(r->bytes[side], to);
	size_t lost = to, behind = to;
	int err, two;

	if (loss && loss->side == side) {
		lost = MIN(MAX(loss->at, from), to);
		behind = MIN(MAX(loss->at + loss->n, from), to);
	}
	err = wire_send(w, 1, dir, span_sub(all, from, lost - from), piece);
	if (behind > lost)
		wire_lose(w, 1, dir, behind - lost);
	two = wire_send(w, 1, dir, span_sub(all, behind, to - behind), piece);
	return err ? err : two;
}

/* The end of the head, when what follows is a WebSocket's: no client sends on before it is told
 * that it may. */
static size_t head_of(const struct recording *r, enum side side)
{
	static const struct span upgraded = SPAN_LIT("HTTP/1.1 101");
	const uint8_t *p = r->bytes[side], *end = memmem(p, r->len[side], "\r\n\r\n", 4);

	if (!end || !span_starts(span_of(r->bytes[SIDE_RESPONSE], r->len[SIDE_RESPONSE]), upgraded))
		return r->len[side];
	return (size_t)(end - p) + 4;
}

int recording_play(const struct recording *r, size_t piece, const struct loss *loss,
		   struct evlog *log)
{
	auto_free(wire) struct wire *w = NULL;
	int err = wire_new(&w, WIRE_TURNS, log, NULL);

	if (err)
		return err;
	wire_open(w, 1);
	for (int part = 0; part < 2; part++)
		for (enum side side = 0; side < SIDE_MAX_; side++) {
			size_t head = head_of(r, side);
			int one = send_part(w, r, side, part ? head : 0, part ? r->len[side] : head,
					    piece, loss);

			err = err ? err : one;
		}
	wire_close(w, 1);
	return err;
}

static void play(const struct recording *r, size_t piece, const struct loss *loss,
		 struct evlog *log)
{
	assert_int_equal(recording_play(r, piece, loss, log), 0);
}

static void golden(const struct recording *r)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_mem uint8_t *want = NULL;
	char name[300];
	size_t len = 0;

	play(r, 0, NULL, &log);
	if (getenv("UPDATE_GOLDENS")) {
		auto_file FILE *f = NULL;

		snprintf(name, sizeof(name), "%s.turn", r->path);
		f = fopen(name, "we");
		assert_non_null(f);
		assert_int_equal(fwrite(log.p, 1, log.len, f), log.len);
		return;
	}
	want = load(r->path, ".turn", &len);
	if (!want || !span_eq(span_of(want, len), span_of(log.p, log.len)))
		fail_msg("%s.turn differs from:\n%s", r->path, log.p);
}

static void in_pieces(const struct recording *r)
{
	size_t most = MAX(r->len[SIDE_REQUEST], r->len[SIDE_RESPONSE]);
	auto_free(evlog) struct evlog whole = { 0 };

	play(r, 0, NULL, &whole);
	for (size_t piece = 1; piece <= most; piece += piece < 64 ? 1 : piece / 7) {
		auto_free(evlog) struct evlog log = { 0 };

		play(r, piece, NULL, &log);
		if (strcmp(log.p, whole.p))
			fail_msg("%s in pieces of %zu:\n%s", r->path, piece, log.p);
	}
}

static void with_losses(const struct recording *r)
{
	static const size_t sizes[] = { 1, 17, 300 };

	for (enum side side = 0; side < SIDE_MAX_; side++)
		for (size_t at = 0; at < r->len[side]; at += 1 + r->len[side] / LOSSES)
			for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
				struct loss loss = { side, at, MIN(sizes[i], r->len[side] - at) };
				auto_free(evlog) struct evlog whole = { 0 }, log = { 0 };

				play(r, 0, &loss, &whole);
				play(r, 5, &loss, &log);
				if ((whole.p == NULL) != (log.p == NULL) ||
				    (log.p && strcmp(log.p, whole.p)))
					fail_msg("%s, %zu bytes lost at %zu of side %d:\n%s\n%s",
						 r->path, loss.n, at, side, whole.p, log.p);
			}
}

static int once(void *ctx)
{
	auto_free(evlog) struct evlog log = { 0 };

	return recording_play(ctx, 100, NULL, &log);
}

static void each(const char *prefix, void (*fn)(const struct recording *r))
{
	char pattern[128];
	glob_t files;

	snprintf(pattern, sizeof(pattern), "tests/data/dialect/%s*.req", prefix);
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	assert_true(files.gl_pathc > 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct recording r = { 0 };

		snprintf(r.path, sizeof(r.path), "%.*s", (int)strlen(files.gl_pathv[i]) - 4,
			 files.gl_pathv[i]);
		for (enum side side = 0; side < SIDE_MAX_; side++) {
			r.bytes[side] = load(r.path, suffixes[side], &r.len[side]);
			assert_non_null(r.bytes[side]);
		}
		fn(&r);
		for (enum side side = 0; side < SIDE_MAX_; side++)
			free(r.bytes[side]);
	}
	globfree(&files);
}

static void without_memory(const struct recording *r)
{
	struct recording copy = *r;

	nomem_each(once, &copy);
}

void recordings_test(const char *prefix)
{
	each(prefix, golden);
	if (getenv("UPDATE_GOLDENS"))
		return;
	each(prefix, in_pieces);
	each(prefix, with_losses);
	each(prefix, without_memory);
}

static void joined(const struct recording *r)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	auto_mem uint8_t *want = NULL;
	struct span left, line;
	size_t len = 0, n = 0;

	assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
	wire_open_midway(w, 1);
	for (enum side side = 0; side < SIDE_MAX_; side++)
		assert_int_equal(send_part(w, r, side, head_of(r, side), r->len[side], 0, NULL), 0);
	wire_close(w, 1);
	want = load(r->path, ".turn", &len);
	assert_non_null(want);
	left = span_of(want, len);
	/* What was said begins with the number of its message. */
	while (left.len) {
		line = span_token(&left, '\n');
		if (!line.len || !isdigit(line.p[0]))
			continue;
		n++;
		if (!memmem(log.p, log.len, line.p, line.len))
			fail_msg("%s, joined: %.*s is not in:\n%s", r->path, (int)line.len, line.p,
				 log.p);
	}
	assert_true(n > 0);
}

void recordings_test_joined(const char *prefix)
{
	each(prefix, joined);
}
