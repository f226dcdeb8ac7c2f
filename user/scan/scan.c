/* user/scan/scan.c - reads texts and conversations, judges them as live traffic is judged.
 * Owns the line in hand, the turn made of it, and the findings until they are printed. A
 * conversation is played as its calls were: at each word of the model what came before is the
 * request and that is the response, so a credential given up in the third answer is one that no
 * request before it held.
 */
#include "scan/scan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/utf8.h"
#include "detect/detect.h"
#include "detect/finding_json.h"
#include "dialect/dialect.h"
#include "intel/load.h"
#include "parse/json.h"
#include "scan/patterns.h"

#define LINE_MAX_BYTES (64 << 20)
#define TURNS_OF_LINE  1024
#define CALLS_OF_TURN  64
#define INPUT_BUFFER   (256 << 10)
#define FINDINGS_MAX   4096 /* of one line that are printed; the rest is counted */
#define JSON_DEPTH     64
#define NAME_ROOM      32
/* What was found, but not fit for an alert of its own, weighs less in the score of an attack. */
#define HUNT_WEIGHT .5

struct call {
	char name[TURN_ID_MAX];
	struct buf arguments;
};

/* One word of a conversation, or the only one. */
struct word {
	char role[NAME_ROOM], origin[NAME_ROOM];
	struct buf text;
	struct call calls[CALLS_OF_TURN];
	size_t n_calls;
};

struct found {
	struct finding f;
	uint32_t word;
	size_t base; /* of its segment's text in the word's */
};

/* Where a segment's text comes from. */
struct source {
	uint32_t word;
	size_t base;
};

struct scan {
	const struct scan_opts *o;
	FILE *out;
	struct patterns *patterns;
	struct detect *detect;
	struct load_map intel;
	struct json *json;
	struct word *words;
	size_t n_words, words_room;
	bool conversation, has_text;
	double attack;	   /* the most of the line's segments */
	const char *error; /* of the line in hand */
	struct turn turn;
	struct source sources[TURN_SEGMENTS_MAX];
	struct found *found;
	size_t n_found;
	uint64_t lines, bytes, findings, errors;
};

/* --- roles */

static const struct {
	const char *name;
	enum segment_role role;
	enum origin origin;
} roles[] = {
	{ "system", SEG_SYSTEM, ORIGIN_OPERATOR },
	{ "developer", SEG_DEVELOPER, ORIGIN_OPERATOR },
	{ "user", SEG_USER, ORIGIN_USER },
	{ "assistant", SEG_ASSISTANT, ORIGIN_MODEL },
	{ "tool", SEG_TOOL_RESULT, ORIGIN_TOOL },
	{ "document", SEG_DOCUMENT, ORIGIN_RETRIEVED },
	{ "tool-definition", SEG_TOOL_DEFINITION, ORIGIN_TOOL },
	{ "reasoning", SEG_REASONING, ORIGIN_MODEL },
};
const char *const scan_roles =
    "system, developer, user, assistant, tool, document, tool-definition, reasoning";

int scan_role(const char *name, enum segment_role *ret_role, enum origin *ret_origin)
{
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		if (strcmp(name, roles[i].name))
			continue;
		*ret_role = roles[i].role;
		*ret_origin = roles[i].origin;
		return 0;
	}
	return -EINVAL;
}

static int origin_find(const char *name, enum origin *ret)
{
	for (enum origin o = 0; o < ORIGIN_MAX_; o++) {
		if (strcmp(name, origin_name(o)))
			continue;
		*ret = o;
		return 0;
	}
	return -EINVAL;
}

/* --- a line */

static void words_clear(struct scan *s)
{
	for (size_t i = 0; i < s->n_words; i++) {
		buf_free(&s->words[i].text);
		for (size_t k = 0; k < s->words[i].n_calls; k++)
			buf_free(&s->words[i].calls[k].arguments);
		explicit_bzero(&s->words[i], sizeof(s->words[i]));
	}
	s->n_words = 0;
}

static struct word *word_at(struct scan *s, size_t i)
{
	if (i >= TURNS_OF_LINE) {
		s->error = "more turns than 1024";
		return NULL;
	}
	if (i >= s->words_room) {
		size_t room = MAX(s->words_room * 2, i + 1);
		struct word *p = realloc(s->words, room * sizeof(*p));

		if (!p) {
			s->error = "no memory";
			return NULL;
		}
		s->words = p;
		s->words_room = room;
	}
	while (s->n_words <= i) {
		s->words[s->n_words] = (struct word){ .text = BUF(LINE_MAX_BYTES) };
		s->n_words++;
	}
	return &s->words[i];
}

static struct call *call_at(struct scan *s, struct word *w, size_t i)
{
	if (i >= CALLS_OF_TURN) {
		s->error = "more tool calls in a turn than 64";
		return NULL;
	}
	while (w->n_calls <= i)
		w->calls[w->n_calls++] = (struct call){ .arguments = BUF(LINE_MAX_BYTES) };
	return &w->calls[i];
}

static void add(struct scan *s, struct buf *to, const struct json_event *e)
{
	if (e->kind != JSON_STRING)
		s->error = "text and arguments are strings";
	else if (buf_add(to, e->text))
		s->error = "no memory";
}

static void on_value(void *ctx, const struct json_event *e)
{
	struct scan *s = ctx;
	bool in_turns = !strncmp(e->path, "turns[]", 7);
	const char *name = in_turns ? e->path + 7 : e->path;
	struct word *w;
	struct call *c;

	if (!e->depth && e->kind != JSON_OBJECT && e->kind != JSON_OBJECT_END)
		s->error = "a line is a JSON object";
	if (s->error || !strcmp(e->path, "id"))
		return;
	if (!strcmp(e->path, "turns"))
		s->conversation = true;
	if (in_turns)
		name += *name == '.';
	else if (strcmp(name, "role") && strcmp(name, "text"))
		return;
	w = word_at(s, in_turns ? e->index[0] : 0);
	if (!w)
		return;
	if (!strcmp(name, "role")) {
		turn_id_piece(w->role, sizeof(w->role), e);
	} else if (!strcmp(name, "origin")) {
		turn_id_piece(w->origin, sizeof(w->origin), e);
	} else if (!strcmp(name, "text")) {
		s->has_text = true;
		if (e->kind != JSON_NULL || !in_turns)
			add(s, &w->text, e);
	} else if (!strncmp(name, "tool_calls[].", 13)) {
		c = call_at(s, w, e->index[1]);
		if (c && !strcmp(name + 13, "name"))
			turn_id_piece(c->name, sizeof(c->name), e);
		else if (c && !strcmp(name + 13, "arguments"))
			add(s, &c->arguments, e);
	}
}

/* The bytes of the value of "id" in a line that is valid JSON; empty when there is none. */
static struct span raw_id(struct span line)
{
	size_t depth = 0, begin = 0;
	bool string = false, is_id = false;

	for (size_t i = 0; i < line.len; i++) {
		uint8_t c = line.p[i];

		if (string) {
			i += c == '\\';
			string = c != '"';
			continue;
		}
		if (depth == 1 && is_id && begin && (c == ',' || c == '}')) {
			while (memchr(" \t\r", line.p[i - 1], 3))
				i--;
			return span_sub(line, begin, i - begin);
		}
		if (depth == 1 && !begin && span_starts(span_sub(line, i, 4), SPAN_LIT("\"id\"")))
			is_id = true;
		if (c == '"')
			string = true;
		else if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		else if (c == ':' && depth == 1 && is_id && !begin)
			for (begin = i + 1; begin < line.len && memchr(" \t", line.p[begin], 2);)
				begin++;
		else if (c == ',' && depth == 1)
			is_id = false;
	}
	return span_of(NULL, 0);
}

/* It is put out as it stands, so it must be sound: strings that are no UTF-8 were mended, and what
 * is nested too deep was not looked at, when the line was read. */
static bool id_ok(struct span id, bool skipped)
{
	return utf8_is_text(id, false) && !(skipped && id.len && (*id.p == '{' || *id.p == '['));
}

/* --- judging */

static void on_finding(void *ctx, const struct finding *f)
{
	struct scan *s = ctx;
	const struct source *from = &s->sources[f->segment];

	s->findings++;
	if (s->n_found < FINDINGS_MAX)
		s->found[s->n_found++] = (struct found){ *f, from->word, from->base };
}

/* Text of any length, in segments of SEGMENT_MAX at most. */
static int put(struct scan *s, size_t word, enum segment_role role, enum origin origin,
	       enum side side, const char *name, struct span text)
{
	for (size_t at = 0; at < text.len;) {
		struct segment *seg = turn_segment(&s->turn, role, origin, side);
		size_t before;

		if (!seg)
			return -ENOMEM;
		before = seg->text.len;
		turn_text(&s->turn, seg, span_sub(text, at, SEGMENT_MAX));
		if (seg->text.len == before)
			return -ENOMEM;
		seg->missing = 0;
		seg->damaged = false;
		snprintf(seg->name, sizeof(seg->name), "%s", name);
		s->sources[s->turn.n_segments - 1] = (struct source){ (uint32_t)word, at };
		at += seg->text.len;
	}
	return 0;
}

static int judge(struct scan *s, enum detect_phase phase)
{
	int err = detect_turn(s->detect, &s->turn, phase, on_finding, s);

	s->attack = MAX(s->attack, (double)detect_attack(s->detect));
	/* History from now on. */
	for (size_t i = 0; i < s->turn.n_segments; i++) {
		struct segment *seg = &s->turn.segments[i];

		if (phase == DETECT_REQUEST && seg->side == SIDE_RESPONSE)
			continue;
		seg->judged = seg->text.len;
		seg->side = SIDE_REQUEST;
	}
	return err;
}

static int judge_word(struct scan *s, size_t i)
{
	const struct word *w = &s->words[i];
	enum segment_role role;
	enum origin origin;
	enum side side;
	int err;

	if (scan_role(*w->role ? w->role : s->o->role, &role, &origin)) {
		s->error = "no such role";
		return 0;
	}
	if (*w->origin && origin_find(w->origin, &origin)) {
		s->error = "no such origin";
		return 0;
	}
	side = role == SEG_ASSISTANT || role == SEG_REASONING ? SIDE_RESPONSE : SIDE_REQUEST;
	err = side == SIDE_RESPONSE ? judge(s, DETECT_REQUEST) : 0;
	if (!err)
		err = put(s, i, role, origin, side, "", buf_span(&w->text));
	for (size_t k = 0; k < w->n_calls && !err; k++)
		err = put(s, i, SEG_TOOL_CALL, ORIGIN_MODEL, side, w->calls[k].name,
			  buf_span(&w->calls[k].arguments));
	if (!err && (side == SIDE_RESPONSE || i + 1 == s->n_words))
		err = judge(s, side == SIDE_RESPONSE ? DETECT_RESPONSE : DETECT_REQUEST);
	return err;
}

/* --- answers */

static bool is_attack(enum kind k)
{
	static const char *const families[] = { "jailbreak.", "injection.", "recon." };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (!strncmp(kinds[k].name, families[i], strlen(families[i])))
			return true;
	return false;
}

static double attack_score(const struct scan *s)
{
	double most = s->attack;

	for (size_t i = 0; i < s->n_found; i++) {
		const struct finding *f = &s->found[i].f;
		double score = (double)f->score * (f->mode == MODE_ALERT ? 1 : HUNT_WEIGHT);

		if (is_attack(f->kind))
			most = MAX(most, score);
	}
	return floor(most * 1e7 + .5) / 1e7;
}

static void put_found(const struct scan *s, struct json_out *o, const struct found *found)
{
	json_out_object(o);
	finding_json(o, &found->f);
	if (s->conversation) {
		json_out_key(o, "turn");
		json_out_u64(o, found->word);
	}
	json_out_key(o, "span");
	json_out_array(o);
	json_out_u64(o, found->base + found->f.begin);
	json_out_u64(o, found->base + found->f.end);
	json_out_end(o);
	json_out_end(o);
}

/* Own rules are of one kind and name themselves. */
static bool told_before(const struct scan *s, size_t i)
{
	const struct finding *f = &s->found[i].f;

	for (size_t k = 0; k < i; k++)
		if (s->found[k].f.mode == MODE_ALERT && s->found[k].f.kind == f->kind &&
		    s->found[k].f.rule == f->rule)
			return true;
	return false;
}

static void put_alerts(const struct scan *s, struct json_out *o)
{
	json_out_key(o, "alerts");
	json_out_array(o);
	for (size_t i = 0; i < s->n_found; i++)
		if (s->found[i].f.mode == MODE_ALERT && !told_before(s, i))
			json_out_cstr(o, finding_kind(&s->found[i].f));
	json_out_end(o);
}

static void put_result(struct scan *s, struct json_out *o)
{
	json_out_key(o, "scores");
	json_out_object(o);
	json_out_key(o, "attack");
	json_out_f64(o, attack_score(s));
	json_out_end(o);
	json_out_key(o, "findings");
	json_out_array(o);
	for (size_t i = 0; i < s->n_found; i++)
		if (s->found[i].f.mode != MODE_OFF)
			put_found(s, o, &s->found[i]);
	json_out_end(o);
	if (s->conversation)
		put_alerts(s, o);
}

static void line_clear(struct scan *s)
{
	words_clear(s);
	turn_clear(&s->turn);
	s->turn = (struct turn){ 0 };
	s->n_found = 0;
	s->error = NULL;
	s->conversation = s->has_text = false;
	s->attack = 0;
}

/* --- input */

static int scan_line(struct scan *s, struct span line)
{
	struct json_out o = JSON_OUT(s->out, JSON_OUT_COMPACT);
	struct span id;
	uint64_t skipped = json_skipped(s->json);
	int err = 0, bad = json_feed(s->json, line);

	bad = json_end(s->json) || bad;
	if (bad && !s->error)
		s->error = "not JSON";
	if (!s->error && !s->has_text)
		s->error = "neither text nor turns";
	if (!s->error && s->conversation && !s->n_words)
		s->error = "no turns";
	id = raw_id(line);
	if (!s->error && !id_ok(id, json_skipped(s->json) != skipped))
		s->error = "its id is not UTF-8, or too deep";
	for (size_t i = 0; i < s->n_words && !s->error && !err; i++)
		err = judge_word(s, i);
	if (err)
		return err;
	s->errors += s->error != NULL;
	if (s->error) {
		json_out_object(&o);
		json_out_key(&o, "line");
		json_out_u64(&o, s->lines);
		json_out_key(&o, "error");
		json_out_cstr(&o, s->error);
		json_out_end(&o);
		return json_out_done(&o);
	}
	/* As it stands in the input: any JSON value. */
	json_out_object(&o);
	json_out_key(&o, "id");
	json_out_raw(&o, id.len ? id : SPAN_LIT("null"));
	put_result(s, &o);
	json_out_end(&o);
	return json_out_done(&o);
}

static int scan_lines(struct scan *s, FILE *in)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int err = 0;

	while (!err && (n = getline(&line, &room, in)) >= 0) {
		struct span text = span_of(line, (size_t)n);

		while (text.len && memchr(" \t\r\n", text.p[text.len - 1], 4))
			text.len--;
		s->lines++;
		s->bytes += (size_t)n;
		if (text.len > LINE_MAX_BYTES) {
			s->error = "longer than 64 MiB";
			text.len = 0;
		}
		if (text.len || s->error)
			err = scan_line(s, text);
		line_clear(s);
	}
	if (line)
		explicit_bzero(line, room);
	free(line);
	return err ? err : ferror(in) ? -EIO : 0;
}

/* The end of the block: behind its last line, if it has one. */
static size_t block_end(struct span text, bool last)
{
	const uint8_t *p = last ? NULL : memrchr(text.p, '\n', text.len);

	return p ? (size_t)(p - text.p) + 1 : text.len;
}

static int scan_text(struct scan *s, FILE *in)
{
	struct buf block = BUF(SCAN_BLOCK);
	uint8_t bytes[64 << 10];
	uint64_t offset = 0;
	int err = 0;

	for (bool last = false; !last && !err;) {
		struct json_out o = JSON_OUT(s->out, JSON_OUT_COMPACT);
		size_t n = fread(bytes, 1, MIN(sizeof(bytes), SCAN_BLOCK - block.len), in);
		struct word *w;
		size_t len;

		last = n == 0;
		err = buf_add(&block, span_of(bytes, n));
		if (err || (block.len < SCAN_BLOCK && !last))
			continue;
		len = block_end(buf_span(&block), last);
		w = word_at(s, 0);
		if (!len || !w)
			break;
		err = buf_add(&w->text, span_sub(buf_span(&block), 0, len));
		if (!err)
			err = judge_word(s, 0);
		s->lines++;
		s->bytes += len;
		json_out_object(&o);
		json_out_key(&o, "offset");
		json_out_u64(&o, offset);
		put_result(s, &o);
		json_out_end(&o);
		err = err ? err : json_out_done(&o);
		offset += len;
		buf_drop(&block, len);
		line_clear(s);
	}
	buf_free(&block);
	explicit_bzero(bytes, sizeof(bytes));
	return err ? err : ferror(in) ? -EIO : 0;
}

/* Speed is told of CPU time: others may use the machine. */
static void print_stats(const struct scan *s, uint64_t ns, uint64_t cpu)
{
	struct json_out o = JSON_OUT(stderr, JSON_OUT_COMPACT);
	const struct {
		const char *key;
		uint64_t value;
	} rows[] = { { s->o->jsonl ? "lines" : "blocks", s->lines },
		     { "bytes", s->bytes },
		     { "findings", s->findings },
		     { "errors", s->errors } };

	json_out_object(&o);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_out_key(&o, rows[i].key);
		json_out_u64(&o, rows[i].value);
	}
	json_out_key(&o, "seconds");
	json_out_f64(&o, (double)(ns / NS_PER_MS) / 1000);
	json_out_key(&o, "cpu_seconds");
	json_out_f64(&o, (double)(cpu / NS_PER_MS) / 1000);
	json_out_key(&o, "mb_per_second");
	json_out_f64(&o, cpu ? (double)(s->bytes * 10000 / (cpu / 1000 + 1)) / 10000 : 0);
	json_out_end(&o);
	json_out_done(&o);
}

int scan_run(const struct scan_opts *o, FILE *in, FILE *out, char *why, size_t why_size)
{
	static char input[INPUT_BUFFER]; /* a pipe's writer is woken seldom */
	struct scan *s = calloc(1, sizeof(*s));
	struct detect_opts opts;
	uint64_t begin, cpu;
	int err = s ? 0 : -ENOMEM;

	if (!err) {
		s->o = o;
		s->out = out;
		s->found = calloc(FINDINGS_MAX, sizeof(*s->found));
		err = s->found ? patterns_open(&s->patterns, o->rules, why, why_size) : -ENOMEM;
	}
	if (!err) {
		detect_default_opts(&opts);
		err = detect_new(&s->detect, &opts, patterns_image(s->patterns));
	}
	if (!err && o->n_intel) {
		err = load_paths(o->intel, o->n_intel, wall_ns() / NS_PER_SEC, &s->intel, why,
				 why_size);
		detect_intel(s->detect, s->intel.head);
	}
	if (!err)
		err = json_new(&s->json, JSON_DEPTH, on_value, s);
	setvbuf(in, input, _IOFBF, sizeof(input));
	begin = mono_ns();
	cpu = cpu_ns();
	if (!err)
		err = o->jsonl ? scan_lines(s, in) : scan_text(s, in);
	if (!err && o->stats)
		print_stats(s, mono_ns() - begin, cpu_ns() - cpu);
	explicit_bzero(input, sizeof(input));
	if (err && !*why)
		snprintf(why, why_size, "%s", strerror(-err));
	if (s) {
		line_clear(s);
		free(s->words);
		free(s->found);
		json_free(&s->json);
		detect_free(&s->detect);
		patterns_free(&s->patterns);
		load_unmap(&s->intel);
		free(s);
	}
	return err;
}
