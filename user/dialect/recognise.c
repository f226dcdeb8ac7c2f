/* user/dialect/recognise.c - which route and form an exchange has. Paths are compared by segments,
 * from their end, without percent-encoding and case (RFC 3986 section 6.2.2): gateways put prefixes
 * before them. Bodies are told by the keys they have.
 */
#include "dialect/recognise.h"

#include "base/own.h"
#include "dialect/generic.h"
#include "dialect/provider.h"

#define PATH_SEGMENT_MAX  256
#define PATH_SEGMENTS_MAX 12 /* of a pattern */
#define ROUTES_MAX	  1024
#define JSON_DEPTH_MAX	  64
#define KEYS_MAX	  256 /* that tell forms apart; a power of two */
#define KEY_SLOTS	  (4 * KEYS_MAX)

const struct dialect *const dialects[] = {
#define DIALECT(id) &dialect_##id,
#include "dialect/dialects.def"
#undef DIALECT
	NULL,
};

/* --- paths */

/* The last segment of *path, which becomes what is before it. Doubled and trailing slashes do not
 * count. False: there is none. */
static bool last_segment(struct span *path, struct span *ret)
{
	size_t end = path->len, from;

	while (end && path->p[end - 1] == '/')
		end--;
	for (from = end; from && path->p[from - 1] != '/';)
		from--;
	*ret = span_sub(*path, from, end - from);
	path->len = from;
	return ret->len;
}

/* Without percent-encoding; empty when it is too long. */
static struct span decoded(uint8_t buf[PATH_SEGMENT_MAX], struct span s)
{
	size_t n = 0;

	if (s.len > PATH_SEGMENT_MAX)
		return (struct span){ 0 };
	for (size_t i = 0; i < s.len; i++) {
		bool coded = s.p[i] == '%' && i + 2 < s.len && ascii_hex(s.p[i + 1]) >= 0 &&
			     ascii_hex(s.p[i + 2]) >= 0;

		buf[n++] =
		    coded ? (uint8_t)(ascii_hex(s.p[i + 1]) << 4 | ascii_hex(s.p[i + 2])) : s.p[i];
		i += coded ? 2 : 0;
	}
	return span_of(buf, n);
}

static bool starts_nocase(struct span s, struct span with)
{
	return s.len >= with.len && span_eq_nocase(span_sub(s, 0, with.len), with);
}

/* A name in a path goes to the turn. */
static void capture(struct turn *t, struct span name, struct span value, bool *named)
{
	const struct {
		const char *name;
		char *to;
	} rows[] = {
		{ "{model}", t->request_model },
		{ "{object}", t->object },
		{ "{conversation}", t->conversation },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (span_eq(name, span_str(rows[i].name)))
			turn_id(rows[i].to, TURN_ID_MAX, value);
	*named |= span_eq(name, SPAN_LIT("{model}"));
}

/* Literal bytes of the pattern, or -1 when the segment is another. t NULL: nothing is captured. */
static int match_segment(struct span pattern, struct span segment, struct turn *t, bool *named)
{
	const uint8_t *open = memchr(pattern.p, '{', pattern.len),
		      *close = open ? memchr(pattern.p, '}', pattern.len) : NULL;
	struct span head, tail;

	if (!close)
		return span_eq_nocase(pattern, segment) ? (int)pattern.len : -1;
	head = span_sub(pattern, 0, (size_t)(open - pattern.p));
	tail = span_sub(pattern, (size_t)(close - pattern.p) + 1, pattern.len);
	if (segment.len <= head.len + tail.len || !starts_nocase(segment, head) ||
	    !span_eq_nocase(span_sub(segment, segment.len - tail.len, tail.len), tail))
		return -1;
	if (t)
		capture(t, span_of(open, (size_t)(close - open) + 1),
			span_sub(segment, head.len, segment.len - head.len - tail.len), named);
	return (int)(head.len + tail.len);
}

/* A path's last segments, the last one first, decoded. */
struct path {
	struct span segments[PATH_SEGMENTS_MAX];
	size_t n;
	bool more; /* than these */
	uint8_t bytes[PATH_SEGMENTS_MAX][PATH_SEGMENT_MAX];
};

static void path_split(struct path *p, struct span path)
{
	struct span s;

	for (p->n = 0; p->n < PATH_SEGMENTS_MAX && last_segment(&path, &s); p->n++)
		p->segments[p->n] = decoded(p->bytes[p->n], s);
	p->more = last_segment(&path, &s);
}

/* Literal bytes of the pattern and one for each segment, or -1. */
static int match_path(const char *pattern, const struct path *path, struct turn *t, bool *named)
{
	bool whole = *pattern == '^';
	struct span left = span_str(pattern + whole), want;
	size_t i = 0;
	int n = 0;

	for (; last_segment(&left, &want); i++) {
		int literal = i < path->n ? match_segment(want, path->segments[i], t, named) : -1;

		if (literal < 0)
			return -1;
		n += literal + 1;
	}
	return whole && (i < path->n || path->more) ? -1 : n;
}

static bool method_is(const struct route *route, struct span method)
{
	struct span want = span_str(route->method ? route->method : "POST");

	return span_eq(want, SPAN_LIT("*")) || span_eq(want, method);
}

static bool query_model(struct span target, struct span name, struct turn *t)
{
	uint8_t bytes[PATH_SEGMENT_MAX];

	span_token(&target, '?');
	while (target.len) {
		struct span value = span_token(&target, '&');

		if (!span_eq(span_token(&value, '='), name))
			continue;
		turn_id(t->request_model, sizeof(t->request_model), decoded(bytes, value));
		return true;
	}
	return false;
}

/* Every route, and the last segment of its path, by which nearly all of them are ruled out. */
static struct {
	bool ready;
	size_t n;
	struct {
		const struct route *route;
		struct span last;
		bool any; /* there is none, or it has a name in it */
	} rows[ROUTES_MAX];
} routes;

static void routes_make(void)
{
	for (size_t i = 0; dialects[i]; i++)
		for (size_t k = 0; k < dialects[i]->n_routes; k++) {
			const struct route *route = &dialects[i]->routes[k];
			struct span path = span_str(route->path + (*route->path == '^')), last;

			assert(routes.n < ROUTES_MAX);
			last_segment(&path, &last);
			routes.rows[routes.n].route = route;
			routes.rows[routes.n].last = last;
			routes.rows[routes.n].any = !last.len || memchr(last.p, '{', last.len);
			routes.n++;
		}
	routes.ready = true;
}

const struct route *recognise_path(const struct exchange *x, struct turn *t, bool *ret_named)
{
	const struct route *best = NULL;
	struct span last = { 0 };
	struct path path;
	int most = -1;

	if (!routes.ready)
		routes_make();
	path_split(&path, exchange_path(x));
	if (path.n)
		last = path.segments[0];
	*ret_named = false;
	for (size_t i = 0; i < routes.n; i++) {
		const struct route *route = routes.rows[i].route;
		int n;

		if ((!routes.rows[i].any && !span_eq_nocase(routes.rows[i].last, last)) ||
		    !method_is(route, x->method) ||
		    (route->provider && strcmp(route->provider, t->provider)) ||
		    (route->field && !exchange_field(x, SIDE_REQUEST, route->field).len))
			continue;
		n = match_path(route->path, &path, NULL, ret_named);
		/* At home, an API goes before those that share its paths; so does what a field
		 * tells. */
		if (n >= 0)
			n += (route->provider ? PATH_SEGMENT_MAX : 0) + (route->field != NULL);
		if (n > most) {
			most = n;
			best = route;
		}
	}
	if (best)
		match_path(best->path, &path, t, ret_named);
	if (best && best->query)
		*ret_named |= query_model(x->target, span_str(best->query), t);
	return best;
}

/* --- bodies */

/* Every key that is a need or a hint of a form. */
static struct {
	bool ready;
	size_t n;
	const char *keys[KEYS_MAX];
	uint16_t slots[KEY_SLOTS]; /* index + 1 */
} vocabulary;

struct seen {
	uint64_t keys[KEYS_MAX / 64];
	struct generic_signs generic;
};

/* The key's number, or -1; add: it becomes one. */
static int key_number(const char *key, uint32_t hash, bool add)
{
	size_t i = hash % KEY_SLOTS;

	for (; vocabulary.slots[i]; i = (i + 1) % KEY_SLOTS)
		if (!strcmp(vocabulary.keys[vocabulary.slots[i] - 1], key))
			return vocabulary.slots[i] - 1;
	if (!add)
		return -1;
	assert(vocabulary.n < KEYS_MAX);
	vocabulary.keys[vocabulary.n++] = key;
	vocabulary.slots[i] = (uint16_t)vocabulary.n;
	return (int)vocabulary.n - 1;
}

static void learn(const char *const *keys)
{
	for (; keys && *keys; keys++)
		key_number(*keys, json_path_hash(*keys), true);
}

static void vocabulary_make(void)
{
	for (size_t i = 0; dialects[i]; i++)
		for (size_t k = 0; k < dialects[i]->n_routes; k++) {
			const struct form *form = dialects[i]->routes[k].form;

			if (!form)
				continue;
			learn(form->needs);
			learn(form->hints);
			learn(form->socket);
		}
	vocabulary.ready = true;
}

static void on_json(void *ctx, const struct json_event *e)
{
	struct seen *seen = ctx;
	int n;

	if (e->kind == JSON_OBJECT_END || e->kind == JSON_ARRAY_END || e->kind == JSON_NULL ||
	    !e->first || e->deep)
		return;
	generic_look(&seen->generic, e);
	n = key_number(e->path, e->path_hash, false);
	if (n >= 0)
		seen->keys[n / 64] |= (uint64_t)1 << n % 64;
}

static unsigned count(const struct seen *seen, const char *const *keys, unsigned *ret_all)
{
	unsigned n = 0, all = 0;

	for (; keys && *keys; keys++, all++) {
		int i = key_number(*keys, json_path_hash(*keys), false);

		n += seen->keys[i / 64] >> i % 64 & 1;
	}
	*ret_all = all;
	return n;
}

/* How many of the form's keys the body has; 0: it is of another form. */
static unsigned likeness(const struct seen *seen, const struct form *form)
{
	unsigned n_needs, n_hints, needs, hints;

	if (!form || (!form->needs && !form->hints))
		return 0;
	needs = count(seen, form->needs, &n_needs);
	hints = count(seen, form->hints, &n_hints);
	if (needs < n_needs || (n_hints && !hints))
		return 0;
	return needs + hints + (form->sure ? KEYS_MAX : 0);
}

bool recognise_socket(const struct exchange *x)
{
	struct span to = exchange_field(x, SIDE_REQUEST, "upgrade");

	/* A POST stays one, whatever else it asks for (RFC 6455 section 4.1). */
	return x->framing[SIDE_REQUEST] == FRAMING_WEBSOCKET ||
	       (span_eq(x->method, SPAN_LIT("GET")) && span_eq_nocase(to, SPAN_LIT("websocket")));
}

bool recognise_worth(const struct exchange *x)
{
	struct span type = exchange_field(x, SIDE_REQUEST, "content-type");

	return (span_eq(x->method, SPAN_LIT("POST")) || span_eq(x->method, SPAN_LIT("PUT"))) &&
	       (!type.len || starts_nocase(type, SPAN_LIT("application/json")));
}

static struct seen look(struct span body)
{
	struct seen seen = { 0 };
	struct json *json;

	if (!vocabulary.ready)
		vocabulary_make();
	if (json_new(&json, JSON_DEPTH_MAX, on_json, &seen))
		return seen;
	json_feed(json, body);
	json_end(json);
	json_free(&json);
	return seen;
}

const struct form *recognise_message(struct span message)
{
	const struct seen seen = look(message);
	const struct form *best = NULL;
	unsigned most = 1, all;

	for (size_t i = 0; dialects[i]; i++)
		for (size_t k = 0; k < dialects[i]->n_routes; k++) {
			const struct form *form = dialects[i]->routes[k].form;
			unsigned n = form ? count(&seen, form->socket, &all) : 0;

			if (n <= most)
				continue;
			most = n;
			best = form;
		}
	return best;
}

const struct form *recognise_body(struct span body, const struct form *first)
{
	const struct seen seen = look(body);
	const struct form *best = NULL;
	unsigned most = 0;

	if (likeness(&seen, first))
		return first;
	for (size_t i = 0; dialects[i]; i++)
		for (size_t k = 0; k < dialects[i]->n_routes; k++) {
			const struct form *form = dialects[i]->routes[k].form;
			unsigned score;

			if (!form || !form->needs || (dialects[i]->routes[k].common && !form->sure))
				continue;
			score = likeness(&seen, form);
			if (score <= most)
				continue;
			most = score;
			best = form;
		}
	return best || !generic_is(&seen.generic) ? best : &form_generic;
}
