/* user/detect/detector.c - where a finding is, and what is shown of it. Owns nothing. */
#include "detect/detector.h"

#include <assert.h>

#include "base/own.h"
#include "detect/redact.h"

void detect_locate(const struct detector_input *in, struct finding *f, unsigned view,
		   struct range where)
{
	const struct views *vs = in->views;
	struct range origin = views_range(vs, view, where, 0);
	struct mask masks[SECRETS_MAX];
	size_t n = 0;

	static_assert(sizeof(f->view) >= VIEW_NAME_MAX, "a view's name must fit");
	for (size_t i = 0; i < in->n_secrets; i++) {
		const struct secret *s = &in->secrets[i];

		/* A secret inside an encoded run hides that run. */
		if (s->view == view)
			masks[n++] = (struct mask){ s->where, s->type, s->head, s->tail };
		else if (views_descends(vs, s->view, view))
			masks[n++] = (struct mask){ views_range(vs, s->view, s->where, view),
						    s->type, 0, 0 };
	}
	f->begin = (uint32_t)origin.begin;
	f->end = (uint32_t)origin.end;
	views_name(vs, view, where, f->view);
	redact(f->evidence, sizeof(f->evidence), vs->view[view].text, where, masks, n);
}
