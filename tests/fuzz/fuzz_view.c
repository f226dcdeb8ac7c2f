/* tests/fuzz/fuzz_view.c - any text: every view's table is in order, every range of it leads back
 * into the text, and all views together stay within their budget.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/own.h"
#include "text/view.h"

#define RANGES 8 /* of each view are looked at: others for every length of the text */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct viewer *viewer;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct views *vs;
	char name[VIEW_NAME_MAX];

	if (!viewer && viewer_new(&viewer))
		abort();
	if (views_make(viewer, span_of(data, len), &vs))
		abort();
	assert(vs->n >= 1 && vs->n <= VIEWS_MAX);
	for (unsigned v = 1; v < vs->n; v++) {
		const struct view *w = &vs->view[v];
		size_t n = w->text.len, step = MAX(n / RANGES, 1);

		assert(n && w->parent < v && w->depth <= VIEW_DEPTH_MAX &&
		       w->level <= VIEW_LEVELS_MAX);
		for (size_t i = 1; i < w->n_runs; i++)
			assert(w->runs[i].at >= w->runs[i - 1].at);
		for (size_t at = len % step; at < n; at += step) {
			struct range r = { at, MIN(at + step, n) };
			struct range up = views_range(vs, v, r, 0);

			assert(up.begin <= up.end && up.end <= len);
			views_name(vs, v, r, name);
			views_fresh(vs, v, r);
		}
	}
	views_clear(viewer);
	return 0;
}
