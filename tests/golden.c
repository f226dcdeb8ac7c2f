/* tests/golden.c - goldens of parsers. */
#include "golden.h"

#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "nomem.h"

#define STEPS_MAX 64
#define INPUT_MAX (64 << 10)
#define PIECE_MAX 4096 /* larger pieces than this are not tried */

struct golden {
	const char *file;
	char name[128], arg[32];
	const struct driver *driver;
	struct drive_step steps[STEPS_MAX];
	size_t n_steps;
	uint8_t input[INPUT_MAX];
	size_t n_input;
	char want[4 * INPUT_MAX];
	size_t n_want;
};

static void input_add(struct golden *g, const char *s)
{
	struct drive_step *step;

	assert_true(g->n_steps < STEPS_MAX);
	if (!g->n_steps || g->steps[g->n_steps - 1].gap)
		g->steps[g->n_steps++] =
		    (struct drive_step){ .bytes = span_of(g->input + g->n_input, 0) };
	step = &g->steps[g->n_steps - 1];
	for (; *s; s++) {
		unsigned c = (uint8_t)*s;

		if (c == '\\') {
			s++;
			c = *s == 'n' ? '\n' : *s == 'r' ? '\r' : *s == 't' ? '\t' : (uint8_t)*s;
			if (*s == 'x') {
				assert_int_equal(sscanf(s + 1, "%2x", &c), 1);
				s += 2;
			}
		}
		assert_true(g->n_input < INPUT_MAX);
		g->input[g->n_input++] = (uint8_t)c;
		step->bytes.len++;
	}
}

static int run_whole(void *ctx)
{
	struct golden *g = ctx;
	struct evlog log = { 0 };
	int err = drive(g->driver, g->arg, g->steps, g->n_steps, SIZE_MAX, &log);

	evlog_free(&log);
	return err;
}

static void check(struct golden *g)
{
	size_t sizes = MIN(g->n_input, (size_t)PIECE_MAX);

	for (size_t piece = 0; piece <= sizes; piece++) {
		struct evlog log = { 0 };

		assert_int_equal(
		    drive(g->driver, g->arg, g->steps, g->n_steps, piece ? piece : SIZE_MAX, &log),
		    0);
		if (strcmp(log.p, g->want))
			fail_msg("%s: \"%s\" in pieces of %zu: got\n%swanted\n%s", g->file, g->name,
				 piece ? piece : g->n_input, log.p, g->want);
		evlog_free(&log);
	}
}

static void check_nomem(struct golden *g)
{
	nomem_each(run_whole, g);
}

static unsigned each_in_file(const struct driver *d, const char *path, void (*fn)(struct golden *))
{
	auto_file FILE *f = fopen(path, "re");
	auto_mem char *line = NULL;
	auto_mem struct golden *g = calloc(1, sizeof(*g));
	size_t room = 0;
	unsigned n = 0;
	ssize_t len;

	assert_non_null(f);
	assert_non_null(g);
	for (;;) {
		len = getline(&line, &room, f);
		if (n && (len < 0 || line[0] == '='))
			fn(g);
		if (len < 0)
			return n;
		if (line[len - 1] == '\n')
			line[len - 1] = 0;
		switch (line[0]) {
		case '=':
			n++;
			memset(g, 0, sizeof(*g));
			g->file = path;
			g->driver = d;
			assert_true(sscanf(line, "== %127[^[][%31[^]]]", g->name, g->arg) >= 1);
			break;
		case '>':
			input_add(g, line + (line[1] == ' ' ? 2 : 1));
			break;
		case '~':
			input_add(g, "");
			g->steps[g->n_steps - 1].gap = strtoull(line + 1, NULL, 10);
			assert_true(g->steps[g->n_steps - 1].gap > 0);
			break;
		case '<':
			assert_true(g->n_want + strlen(line) < sizeof(g->want));
			g->n_want += (size_t)sprintf(g->want + g->n_want, "%s\n",
						     line + (line[1] == ' ' ? 2 : 1));
			break;
		case '#':
		case 0:
			break;
		default:
			fail_msg("%s: what is this line? %s", path, line);
		}
	}
}

static unsigned each(const struct driver *d, void (*fn)(struct golden *))
{
	char pattern[256];
	unsigned n = 0;
	glob_t files;

	snprintf(pattern, sizeof(pattern), "tests/data/%s/*.txt", d->name);
	if (glob(pattern, 0, NULL, &files))
		fail_msg("no goldens: %s (run from the top of the source tree)", pattern);
	for (size_t i = 0; i < files.gl_pathc; i++)
		n += each_in_file(d, files.gl_pathv[i], fn);
	globfree(&files);
	assert_true(n > 0);
	return n;
}

unsigned golden_run(const struct driver *d)
{
	return each(d, check);
}

void golden_nomem(const struct driver *d)
{
	each(d, check_nomem);
}
