/* user/detect/credential_turn.c - credentials in a turn as a whole: what a tool or a document
 * handed to the model and the model sends on, and what it says that the request held already.
 */
#include <ctype.h>
#include <stdio.h>

#include "base/own.h"
#include "detect/credential_turn.h"
#include "detect/encoded.h"
#include "detect/redact.h"

#define HELD_MAX  64  /* values of a request that are looked for in what the model sends */
#define VALUE_MIN 8   /* bytes of a value that is not found by chance */
#define SHOWN	  512 /* bytes on either side of a value whose other values are masked, too */

struct held {
	struct span value;
	const char *type;
	struct hash128 fingerprint;
};

struct holding {
	const struct turn *turn;
	struct held v[HELD_MAX];
	size_t n;
};

/* Keeps what a tool or a document handed over. */
static void hold(void *ctx, size_t segment, const struct fact_value *v)
{
	struct holding *h = ctx;
	const struct segment *s = &h->turn->segments[segment];
	struct span value = span_sub(buf_span(&s->text), v->begin, v->end - v->begin);

	if (v->owner != &detector_credential || segment_trust(s) != TRUST_RETRIEVED ||
	    v->score < CREDENTIAL_ALERT || value.len < VALUE_MIN || h->n == HELD_MAX)
		return;
	for (size_t i = 0; i < h->n; i++)
		if (span_eq(h->v[i].value, value))
			return;
	h->v[h->n++] = (struct held){ value, v->type, v->fingerprint };
}

static const uint8_t *find(struct span in, struct span what)
{
	return memmem(in.p, in.len, what.p, what.len);
}

/* Is the byte at at part of an address? */
static bool in_url(struct span text, size_t at)
{
	size_t begin = at;

	while (begin && text.p[begin - 1] > ' ' && !strchr("\"'<>()`", text.p[begin - 1]))
		begin--;
	return memmem(text.p + begin, at - begin, "://", 3) != NULL;
}

/* Does this call reach other hosts? */
static bool sends(const struct segment *s)
{
	static const char *const names[] = {
		"http", "fetch", "web",	   "url",    "mail",  "post",
		"send", "curl",	 "upload", "browse", "slack", "webhook"
	};
	static const char *const words[] = { "http://", "https://", "curl ", "wget ", "ftp://" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (ascii_contains(span_str(s->name), names[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (ascii_contains(buf_span(&s->text), words[i]))
			return true;
	return false;
}

/* Every value that is held, where it stands around at: the finding must not show one. */
static size_t mask_all(const struct holding *h, struct span text, size_t at, struct mask *ret)
{
	size_t from = at - MIN(at, (size_t)SHOWN), n = 0;

	for (size_t i = 0; i < h->n; i++) {
		struct span left = span_sub(text, from, 2 * SHOWN + h->v[i].value.len);
		const char *how;
		struct range r;

		if (encoded_find(left, h->v[i].value, &r, &how))
			ret[n++] =
			    (struct mask){ { from + r.begin, from + r.end }, h->v[i].type, 0, 0 };
	}
	return n;
}

static void tell(const struct turn_input *in, const struct holding *h, const struct held *v,
		 size_t segment, struct range where, const char *how, emit_fn *emit, void *ctx)
{
	const struct segment *s = &in->turn->segments[segment];
	struct span text = buf_span(&s->text);
	bool call = s->role == SEG_TOOL_CALL;
	struct finding f = {
		.kind = KIND_CREDENTIAL_TAINT,
		.score = CREDENTIAL_LIKELY,
		.mode = !call || sends(s) ? MODE_ALERT : MODE_HUNT,
		.segment = (uint32_t)segment,
		.begin = (uint32_t)where.begin,
		.end = (uint32_t)where.end,
	};
	struct mask masks[HELD_MAX];
	size_t n = mask_all(h, text, where.begin, masks);

	snprintf(f.type, sizeof(f.type), "%s", v->type);
	snprintf(f.view, sizeof(f.view), "%s", how);
	snprintf(f.why, sizeof(f.why),
		 "%s that a tool or document handed to the model stands%s in %s.",
		 credential_find(v->type)->name, *how ? ", encoded," : "",
		 call ? "the arguments of a tool call" : "an address that the model wrote");
	mac_begin(in->mac, "taint");
	mac_add(in->mac, span_of(&v->fingerprint, sizeof(v->fingerprint)));
	f.fingerprint = mac_end(in->mac);
	redact(f.evidence, sizeof(f.evidence), text, (struct range){ f.begin, f.end }, masks, n);
	emit(ctx, &f);
}

int credential_turn(const struct turn_input *in, emit_fn *emit, void *ctx)
{
	struct holding h = { .turn = in->turn };
	bool asked = false;
	int found = 0, err;

	for (size_t i = 0; in->phase == DETECT_RESPONSE && i < in->turn->n_segments; i++) {
		const struct segment *s = &in->turn->segments[i];
		struct span text = buf_span(&s->text);

		if (s->side != SIDE_RESPONSE ||
		    (s->role != SEG_TOOL_CALL && !find(text, SPAN_LIT("://"))))
			continue;
		if (!asked) {
			err = turn_values(in, SIDE_REQUEST, hold, &h);
			if (err)
				return err;
			asked = true;
		}
		for (size_t k = 0; k < h.n; k++) {
			const char *how;
			struct range where;

			if (!encoded_find(text, h.v[k].value, &where, &how) ||
			    (s->role != SEG_TOOL_CALL && !in_url(text, where.begin)))
				continue;
			tell(in, &h, &h.v[k], i, where, how, emit, ctx);
			found = 1;
		}
	}
	return found;
}

bool credential_amend(const struct turn_input *in, struct finding *f)
{
	struct span value =
	    span_sub(buf_span(&in->turn->segments[f->segment].text), f->begin, f->end - f->begin);

	for (size_t i = 0; f->kind == KIND_CREDENTIAL_LEAK && i < in->turn->n_segments; i++)
		if (in->turn->segments[i].side == SIDE_REQUEST &&
		    find(buf_span(&in->turn->segments[i].text), value))
			return false;
	return true;
}
