/* user/detect/prompt_leak.c - answers that give away the system prompt: runs of words that the
 * answer shares with the operator's instructions and with nothing else in the request.
 * Case, punctuation, line breaks, list numbers and single changed words do not hide a copy. What
 * the prompt holds in quotation marks is meant to be said, and what it holds as knowledge may be
 * said: an alert needs words that speak to a model.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/escape.h"
#include "base/own.h"
#include "detect/detector.h"

#define GRAM	     4	       /* words that must follow each other */
#define GRAMS_MAX    (1 << 17) /* of a system prompt; the rest of a longer one is not compared */
#define GAP_MAX	     10	       /* changed words inside one copy */
#define QUOTE_MAX    1000      /* bytes of a quotation; a longer one is none */
#define FULL	     2	       /* what a word counts; a character of a script without spaces, 1 */
#define HUNT_MIN     (12 * FULL)
#define ALERT_MIN    (16 * FULL)
#define SPEECH_MIN   3 /* of words that speak to a model */
#define SPEECH_WHOLE 2 /* ... when nearly the whole prompt stands in the answer */
#define WHOLE	     0.7f
#define FINDINGS_MAX 4		/* per answer */
#define TINY	     (6 * FULL) /* a prompt shorter than this says nothing of its own */

/* Words that a text says to a model rather than about the world, and how much they prove. */
static const struct {
	const char *words; /* at most GRAM */
	unsigned weight;
} speech[] = {
	{ "you are a", 2 },
	{ "you are an", 2 },
	{ "you are the", 2 },
	{ "your role", 2 },
	{ "your task", 2 },
	{ "your job", 2 },
	{ "your goal", 2 },
	{ "your purpose", 2 },
	{ "your instructions", 2 },
	{ "your name is", 2 },
	{ "the user", 2 },
	{ "the user s", 2 },
	{ "the assistant", 2 },
	{ "if asked", 2 },
	{ "as an ai", 2 },
	{ "respond", 1 },
	{ "reply", 1 },
	{ "never", 1 },
	{ "always", 1 },
	{ "do not", 1 },
	{ "don t", 1 },
	{ "you must", 1 },
	{ "you should", 1 },
	{ "you will", 1 },
	{ "reveal", 1 },
	{ "users", 1 },
	{ "these instructions", 2 },
	{ "access granted", 1 },
	{ "instructions", 1 },
	{ "refuse", 1 },
	{ "du bist", 2 },
	{ "sie sind ein", 2 },
	{ "deine aufgabe", 2 },
	{ "ihre aufgabe", 2 },
	{ "der nutzer", 2 },
	{ "antworte", 1 },
	{ "niemals", 1 },
	{ "immer", 1 },
	{ "tu es un", 2 },
	{ "vous êtes", 2 },
	{ "votre rôle", 2 },
	{ "l utilisateur", 2 },
	{ "réponds", 1 },
	{ "jamais", 1 },
	{ "toujours", 1 },
	{ "eres un", 2 },
	{ "eres una", 2 },
	{ "tu tarea", 2 },
	{ "el usuario", 2 },
	{ "responde", 1 },
	{ "nunca", 1 },
	{ "siempre", 1 },
	{ "você é", 2 },
	{ "sua tarefa", 2 },
	{ "o usuário", 2 },
	{ "sempre", 1 },
	{ "sei un", 2 },
	{ "il tuo compito", 2 },
	{ "l utente", 2 },
	{ "je bent", 2 },
	{ "jouw taak", 2 },
	{ "de gebruiker", 2 },
	{ "jesteś", 2 },
	{ "twoim zadaniem", 2 },
	{ "użytkownik", 1 },
	{ "nigdy", 1 },
	{ "ты", 1 },
	{ "твоя задача", 2 },
	{ "вы являетесь", 2 },
	{ "пользователь", 1 },
	{ "никогда", 1 },
	{ "всегда", 1 },
	{ "ти", 1 },
	{ "sen bir", 2 },
	{ "görevin", 2 },
	{ "kullanıcı", 1 },
	{ "asla", 1 },
	{ "bạn là", 2 },
	{ "người dùng", 2 },
	{ "anda adalah", 2 },
	{ "pengguna", 1 },
	{ "jangan", 1 },
	{ "أنت", 2 },
	{ "المستخدم", 1 },
	{ "آپ", 1 },
	{ "आप एक", 2 },
	{ "당신은", 2 },
	{ "사용자", 1 },
	{ "你是", 2 },
	{ "您是", 2 },
	{ "你的任务", 2 },
	{ "用户", 1 },
	{ "不要", 1 },
	{ "あなたは", 2 },
	{ "ユーザー", 1 },
	{ "ください", 1 },
};

/* --- words */

struct word {
	uint64_t hash;
	size_t begin, end;
	uint8_t size; /* FULL, or 1 */
};

static bool stands_alone(uint32_t cp)
{
	return (cp >= 0x2e80 && cp <= 0x9fff && cp != 0x3000) || (cp >= 0xe00 && cp <= 0xeff) ||
	       (cp >= 0xf900 && cp <= 0xfaff) || (cp >= 0x20000 && cp <= 0x3ffff);
}

static bool belongs(uint32_t cp)
{
	utf8proc_category_t c;

	if (cp < 0x80)
		return (cp | 0x20) - 'a' < 26 || cp - '0' < 10;
	c = utf8proc_category((utf8proc_int32_t)cp);
	return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_NO;
}

static uint64_t mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* The next word from *at on; numbers of list items are none. */
static bool next_word(struct span text, size_t *at, struct word *ret)
{
	bool digits = true;
	uint32_t cp;

	*ret = (struct word){ .size = 0 };
	while (*at < text.len) {
		size_t len = utf8_decode(span_sub(text, *at, 4), &cp);

		if (!len) {
			cp = 0;
			len = 1;
		}
		if (belongs(cp)) {
			bool alone = stands_alone(cp);

			if (alone && ret->size)
				return true;
			if (!ret->size)
				ret->begin = *at;
			ret->size = alone ? 1 : FULL;
			digits &= cp - '0' < 10;
			ret->hash =
			    mix(ret->hash, cp < 0x80
					       ? cp | 0x20
					       : (uint64_t)utf8proc_tolower((utf8proc_int32_t)cp));
			*at += len;
			ret->end = *at;
			if (alone)
				return true;
			continue;
		}
		*at += len;
		if (!ret->size)
			continue;
		if (!digits || ret->end - ret->begin > 2)
			return true;
		*ret = (struct word){ .size = 0 };
		digits = true;
	}
	return ret->size && (!digits || ret->end - ret->begin > 2);
}

/* The last words of a text, as they come. */
struct window {
	struct word w[GRAM];
	unsigned n;
};

static void push(struct window *win, const struct word *w)
{
	if (win->n == GRAM)
		memmove(win->w, win->w + 1, (GRAM - 1) * sizeof(win->w[0]));
	else
		win->n++;
	win->w[win->n - 1] = *w;
}

static uint64_t gram_hash(const struct word *w, size_t n)
{
	uint64_t h = 1;

	for (size_t i = 0; i < n; i++)
		h = mix(h, w[i].hash);
	return h ? h : 1;
}

/* --- what the operator said */

struct gram {
	uint64_t hash;	/* 0: free */
	uint8_t speech; /* what its beginning proves, see speech[] */
	bool said;	/* others in the request said it, too */
	uint32_t copy;	/* number of the copy that it was last counted in */
};

struct prompt {
	struct gram *grams;
	size_t n, room; /* room: a power of two, larger than n */
	uint64_t total; /* size of all words */
	uint32_t n_copies;
	uint64_t marks[ARRAY_SIZE(speech)];
	size_t mark_words[ARRAY_SIZE(speech)];
};

static struct gram *slot(const struct prompt *p, uint64_t hash)
{
	size_t i = hash & (p->room - 1);

	while (p->grams[i].hash && p->grams[i].hash != hash)
		i = (i + 1) & (p->room - 1);
	return &p->grams[i];
}

static unsigned speech_of(const struct prompt *p, const struct word *w)
{
	uint64_t h[GRAM + 1];
	unsigned best = 0;

	for (size_t n = 1; n <= GRAM; n++)
		h[n] = gram_hash(w, n);
	for (size_t i = 0; i < ARRAY_SIZE(speech); i++)
		if (p->marks[i] == h[p->mark_words[i]])
			best = MAX(best, speech[i].weight);
	return best;
}

static void learn_piece(struct prompt *p, struct span text)
{
	struct window win = { .n = 0 };
	struct word w;
	size_t at = 0;

	while (p->n < GRAMS_MAX && next_word(text, &at, &w)) {
		struct gram *g;

		p->total += w.size;
		push(&win, &w);
		if (win.n < GRAM)
			continue;
		g = slot(p, gram_hash(win.w, GRAM));
		p->n += !g->hash;
		g->hash = gram_hash(win.w, GRAM);
		g->speech = (uint8_t)speech_of(p, win.w);
	}
}

/* Where the quotation that begins at at ends; at, when none does. */
static size_t quotation(struct span text, size_t at)
{
	struct span rest = span_sub(text, at + 1, QUOTE_MAX);
	const uint8_t *end = text.p[at] == '"' ? memchr(rest.p, '"', rest.len) : NULL;

	return end && !memchr(rest.p, '\n', (size_t)(end - rest.p)) ? (size_t)(end - text.p) : at;
}

/* Does most of the text stand in quotation marks? Then they mean nothing: it is JSON. */
static bool all_quoted(struct span text)
{
	size_t quoted = 0, end;

	for (size_t i = 0; i < text.len; i = end + 1) {
		end = quotation(text, i);
		quoted += end - i;
	}
	return 2 * quoted > text.len;
}

static void learn(struct prompt *p, struct span text)
{
	bool quotes = !all_quoted(text);
	size_t from = 0, end;

	for (size_t at = 0; quotes && at < text.len; at = end + 1) {
		end = quotation(text, at);
		if (end == at)
			continue;
		learn_piece(p, span_sub(text, from, at - from));
		from = end + 1;
	}
	learn_piece(p, span_sub(text, from, text.len));
}

/* What others said, too, is no secret of the operator's. */
static void unlearn(struct prompt *p, struct span text)
{
	struct window win = { .n = 0 };
	struct word w;
	size_t at = 0;

	while (next_word(text, &at, &w)) {
		push(&win, &w);
		if (win.n == GRAM)
			slot(p, gram_hash(win.w, GRAM))->said = true; /* a free slot: no matter */
	}
}

static void prompt_free(struct prompt **p)
{
	if (*p && (*p)->grams) {
		explicit_bzero((*p)->grams, (*p)->room * sizeof(*(*p)->grams));
		free((*p)->grams);
	}
	free(*p);
	*p = NULL;
}

static bool instructs(const struct segment *s)
{
	return s->side == SIDE_REQUEST && segment_trust(s) == TRUST_OPERATOR;
}

static int prompt_new(struct prompt **ret, const struct turn *t)
{
	auto_free(prompt) struct prompt *p = calloc(1, sizeof(*p));
	size_t bytes = 0;

	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_segments; i++)
		bytes += instructs(&t->segments[i]) ? t->segments[i].text.len : 0;
	/* No more words than bytes. */
	for (p->room = 64; p->room < 2 * MIN(bytes, (size_t)GRAMS_MAX); p->room *= 2)
		;
	p->grams = calloc(p->room, sizeof(*p->grams));
	if (!p->grams)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(speech); i++) {
		struct span s = span_str(speech[i].words);
		struct word w[GRAM];
		size_t at = 0;

		while (p->mark_words[i] < GRAM && next_word(s, &at, &w[p->mark_words[i]]))
			p->mark_words[i]++;
		p->marks[i] = gram_hash(w, p->mark_words[i]);
	}
	for (size_t i = 0; i < t->n_segments; i++)
		if (instructs(&t->segments[i]))
			learn(p, buf_span(&t->segments[i].text));
	*ret = steal(p);
	return 0;
}

/* --- copies of it in an answer */

struct copy {
	size_t begin, end;
	unsigned size;	 /* of the words that are the prompt's */
	unsigned speech; /* what they prove */
};

/* The next copy from *at on, in which the prompt's words follow each other closely. */
static bool next_copy(struct prompt *p, struct span text, size_t *at, struct copy *ret)
{
	struct window win = { .n = 0 };
	unsigned gap = 0;
	struct word w;

	*ret = (struct copy){ 0 };
	p->n_copies++;
	while (next_word(text, at, &w)) {
		struct gram *g;
		bool again;

		push(&win, &w);
		g = win.n == GRAM ? slot(p, gram_hash(win.w, GRAM)) : NULL;
		if (!g || !g->hash || g->said) {
			if (ret->size && ++gap > GAP_MAX)
				return true;
			continue;
		}
		/* What an answer says again proves nothing again. */
		again = g->copy == p->n_copies;
		g->copy = p->n_copies;
		if (!ret->size)
			ret->begin = win.w[0].begin;
		/* With the words before it that no copy holds yet. */
		for (unsigned k = ret->size ? MIN(gap, GRAM - 1u) + 1 : GRAM; k && !again; k--)
			ret->size += win.w[GRAM - k].size;
		ret->speech += again ? 0 : g->speech;
		ret->end = w.end;
		gap = 0;
	}
	return ret->size;
}

/* Is the answer's copy fit for an alert? */
static bool leaks(const struct copy *c, float share, enum segment_role role)
{
	return role == SEG_ASSISTANT && c->size >= ALERT_MIN &&
	       c->speech >= (share >= WHOLE ? SPEECH_WHOLE : SPEECH_MIN);
}

static int report(const struct turn_input *in, size_t segment, const struct prompt *p,
		  const struct copy *c, emit_fn *emit, void *ctx)
{
	struct finding f = { .kind = KIND_DATA_PROMPT_LEAK, .type = "system-prompt" };
	float share = MIN(1.0f, (float)c->size / (float)p->total);
	bool sure = leaks(c, share, in->turn->segments[segment].role);
	int err;

	f.mode = sure ? MODE_ALERT : MODE_HUNT;
	f.score = sure ? 0.9f + 0.09f * share : 0.3f + 0.3f * share;
	snprintf(f.why, sizeof(f.why),
		 "%u words of the answer are those of the system prompt, about %u %% of it.",
		 c->size / FULL, (unsigned)(share * 100 + 0.5f));
	mac_begin(in->mac, "prompt-leak");
	for (size_t i = 0; i < in->turn->n_segments; i++)
		if (instructs(&in->turn->segments[i]))
			mac_add(in->mac, buf_span(&in->turn->segments[i].text));
	f.fingerprint = mac_end(in->mac);
	err = turn_locate(in, &f, segment, (struct range){ c->begin, c->end });
	if (!err)
		emit(ctx, &f);
	return err;
}

/* Reports the copies in one answer, or only says whether there is one. */
static int look(const struct turn_input *in, size_t segment, struct prompt *p, emit_fn *emit,
		void *ctx)
{
	struct span text = buf_span(&in->turn->segments[segment].text);
	size_t at = 0;
	struct copy c;
	int found = 0, err;

	while (found < FINDINGS_MAX && next_copy(p, text, &at, &c)) {
		if (c.size < HUNT_MIN)
			continue;
		found++;
		err = emit ? report(in, segment, p, &c, emit, ctx) : 0;
		if (err)
			return err;
	}
	return found;
}

static int turn(const struct turn_input *in, emit_fn *emit, void *ctx)
{
	const struct turn *t = in->turn;
	auto_free(prompt) struct prompt *p = NULL;
	bool compared = false;
	int ret = 0, err;

	if (in->phase != DETECT_RESPONSE)
		return 0;
	for (size_t i = 0; i < t->n_segments; i++) {
		const struct segment *s = &t->segments[i];

		if (s->side != SIDE_RESPONSE || segment_trust(s) != TRUST_MODEL ||
		    s->judged == s->text.len)
			continue;
		err = p ? 0 : prompt_new(&p, t);
		if (err)
			return err;
		if (p->total < TINY)
			return 0;
		err = look(in, i, p, NULL, NULL);
		if (!err)
			continue;
		for (size_t k = 0; k < t->n_segments && !compared; k++)
			if (t->segments[k].side == SIDE_REQUEST &&
			    segment_trust(&t->segments[k]) & (TRUST_USER | TRUST_RETRIEVED))
				unlearn(p, buf_span(&t->segments[k].text));
		compared = true;
		err = look(in, i, p, emit, ctx);
		if (err < 0)
			return err;
		ret |= err > 0;
	}
	return ret;
}

#define OPERATOR                                                                                   \
	"You are Ada, the assistant of the Harbour Line ferry company. Always answer in a "        \
	"friendly tone. Never discuss prices of other companies. If a passenger asks for a "       \
	"refund, send them to the form on the website. Do not reveal the staff code 4711."

static const struct sample samples[] = {
	{ "Sure! " OPERATOR, SEG_ASSISTANT, KIND_DATA_PROMPT_LEAK, NULL, OPERATOR },
	/* in another layout, with light edits */
	{ "My rules are:\n1. ALWAYS answer in a friendly tone\n2. Never talk about prices of other "
	  "companies\n3. if a passenger asks for a refund, send them to the **form on the "
	  "website**\n4. Do not reveal the staff code\nAnd: you are Ada, the assistant of the "
	  "Harbour Line ferry company",
	  SEG_ASSISTANT, KIND_DATA_PROMPT_LEAK, NULL, OPERATOR },
	{ "我的设定如下：你是一个客服助手，只能回答与航运有关的问题，不要透露内部的价格政策，用户要"
	  "求退款时请引导他们填写表格。",
	  SEG_ASSISTANT, KIND_DATA_PROMPT_LEAK, NULL,
	  "你是一个客服助手，只能回答与航运有关的问题。不要透露内部的价格政策。用户要求退款时请引导"
	  "他们填写表格。" },
	/* an answer in the prompt's own words, but no more of them than a topic brings along */
	{ "I am Ada, the assistant of the Harbour Line ferry company. How may I help you? For a "
	  "refund, please use the form on the website.",
	  SEG_ASSISTANT, KIND_MAX_, NULL, OPERATOR },
	/* what it was told to say */
	{ "I am sorry, I can only help with questions about ferries, tickets and timetables of the "
	  "Harbour Line; please call our office for all other matters.",
	  SEG_ASSISTANT, KIND_MAX_, NULL,
	  "You are Ada. If asked about anything else say: \"I am sorry, I can only help with "
	  "questions "
	  "about ferries, tickets and timetables of the Harbour Line; please call our office for "
	  "all "
	  "other matters.\" Always be brief." },
	/* knowledge */
	{ "The ferry leaves at eight in the morning from pier four and takes two hours; bicycles "
	  "travel for free on all days except Sundays and public holidays.",
	  SEG_ASSISTANT, KIND_MAX_, NULL,
	  "Answer with these facts. The ferry leaves at eight in the morning from pier four and "
	  "takes "
	  "two hours; bicycles travel for free on all days except Sundays and public holidays." },
	{ NULL },
};

const struct detector detector_prompt_leak = {
	.name = "prompt-leak",
	.summary = "answers that give away the system prompt",
	.surfaces = TRUST_MODEL,
	.turn = turn,
	.samples = samples,
};
