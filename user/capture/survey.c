/* user/capture/survey.c - finds OpenSSL (and its relatives) in an ELF file and the cheapest right
 * place for each probe.
 *
 * The instruction under a probe decides its cost: what the kernel emulates (push, a branch) is some
 * thirty times cheaper than what it single-steps (sub, endbr64). A return probe swaps the word at
 * [rsp], so it may only sit where rsp is as the caller left it. For reads and for writes, in this
 * order:
 *  1. an exported function that only wraps another one of the group (SSL_write_ex -> SSL_write_ex2)
 * gets no probe of its own;
 *  2. when the _ex form does nothing before it hands its arguments on to an internal function, and
 * the plain form calls the same one, that one is the site: it serves both, and BIO_f_ssl, which no
 * exported function sees;
 *  3. each form that is left gets its own site: along its straight-line beginning to the first
 * emulated instruction, else at its first. On other machines than x86-64 code is not decoded: every
 * exported function gets its own.
 */
#include "capture/survey.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "capture/elf64.h"
#include "capture/x86.h"

#define BODY_MAX    4096 /* bytes of a function that are decoded */
#define WALK_MAX    64	 /* bytes from its beginning to look for a cheap site */
#define TARGETS_MAX 64	 /* functions it calls */

enum fn {
	FN_READ,
	FN_READ_EX,
	FN_WRITE,
	FN_WRITE_EX,
	FN_WRITE_EX2,
	FN_FREE,
	FN_CLEAR,
	FN_SENDFILE,
	FN_HANDSHAKE,
	FN_PROBED_, /* those above get sites, those below tell versions apart */
	FN_NEW = FN_PROBED_,
	FN_GREASE,
	FN_GROUP_NAME,
	FN_PEER_CERT,
	FN_CIPHERSUITES,
	FN_MAX_,
};
static_assert(FN_MAX_ <= ELF64_NAMES_MAX, "too many names");

static const char *const names[FN_MAX_] = {
	[FN_READ] = "SSL_read",
	[FN_READ_EX] = "SSL_read_ex",
	[FN_WRITE] = "SSL_write",
	[FN_WRITE_EX] = "SSL_write_ex",
	[FN_WRITE_EX2] = "SSL_write_ex2",
	[FN_FREE] = "SSL_free",
	[FN_CLEAR] = "SSL_clear",
	[FN_SENDFILE] = "SSL_sendfile",
	[FN_HANDSHAKE] = "SSL_do_handshake",
	[FN_NEW] = "SSL_new",
	[FN_GREASE] = "SSL_CTX_set_grease_enabled",
	[FN_GROUP_NAME] = "SSL_get0_group_name",
	[FN_PEER_CERT] = "SSL_get1_peer_certificate",
	[FN_CIPHERSUITES] = "SSL_CTX_set_ciphersuites",
};

static const struct {
	uint32_t site; /* enum ev_site */
	bool returns;  /* the probe needs the result */
} probes[FN_PROBED_] = {
	[FN_READ] = { EV_SITE_READ, true },	      [FN_READ_EX] = { EV_SITE_READ_EX, true },
	[FN_WRITE] = { EV_SITE_WRITE, true },	      [FN_WRITE_EX] = { EV_SITE_WRITE_EX, true },
	[FN_WRITE_EX2] = { EV_SITE_WRITE_EX2, true }, [FN_FREE] = { EV_SITE_FREE, false },
	[FN_CLEAR] = { EV_SITE_CLEAR, false },	      [FN_SENDFILE] = { EV_SITE_SENDFILE, true },
	[FN_HANDSHAKE] = { EV_SITE_HANDSHAKE, true },
};

const char *const site_choice_names[SITE_CHOICE_MAX_] = {
	[SITE_EXPORT_PUSH] = "exported",
	[SITE_INTERNAL_PUSH] = "shared-internal",
	[SITE_ENTRY_LATER] = "past-the-beginning",
	[SITE_EXPORT_SLOW] = "slow",
};

const char *const site_names[EV_SITE_MAX_] = {
	[EV_SITE_READ] = "read",	   [EV_SITE_WRITE] = "write",
	[EV_SITE_READ_EX] = "read_ex",	   [EV_SITE_WRITE_EX] = "write_ex",
	[EV_SITE_WRITE_EX2] = "write_ex2", [EV_SITE_FREE] = "free",
	[EV_SITE_CLEAR] = "clear",	   [EV_SITE_SENDFILE] = "sendfile",
	[EV_SITE_HANDSHAKE] = "handshake",
};

/* Forms of one operation, the one with the most arguments last. */
static const struct group {
	const char *what;
	enum fn first, last;
} groups[] = {
	{ "reads", FN_READ, FN_READ_EX },
	{ "writes", FN_WRITE, FN_WRITE_EX2 },
};

/* First row whose function is there. */
static const struct {
	enum fn has;
	const char *name;
} versions[] = {
	{ FN_GREASE, "BoringSSL" },	      { FN_WRITE_EX2, "OpenSSL 3.3 or later" },
	{ FN_GROUP_NAME, "OpenSSL 3.2" },     { FN_PEER_CERT, "OpenSSL 3.0 or 3.1" },
	{ FN_CIPHERSUITES, "OpenSSL 1.1.1" }, { FN_NEW, "OpenSSL 1.1.0 or earlier" },
};

struct body { /* of a function, decoded */
	uint64_t va;
	uint8_t code[BODY_MAX];
	size_t len;
	bool whole;    /* decoded to its end */
	bool indirect; /* calls through a pointer */
	uint32_t back; /* the lowest place after its beginning that it jumps to */
	unsigned n_targets;
	uint64_t target[TARGETS_MAX]; /* other functions that it calls or jumps to */
};

struct work {
	struct elf64 elf;
	struct survey *ret;
	struct elf64_func fn[FN_MAX_];
};

#ifdef __x86_64__
#define DECODES true
#define decode	x86_decode
#else
#define DECODES false
static int decode(struct span code, struct x86_insn *ret)
{
	(void)code;
	(void)ret;
	return -EOPNOTSUPP;
}
#endif

static struct span rest(const struct body *b, size_t off)
{
	return span_sub(span_of(b->code, b->len), off, SIZE_MAX);
}

static int load(struct work *w, const struct elf64_func *f, struct body *b)
{
	uint64_t off, room = elf64_code(&w->elf, f->va, &off);

	b->va = f->va;
	b->len = MIN(room, f->size ? MIN(f->size, BODY_MAX) : BODY_MAX);
	b->whole = false;
	b->indirect = false;
	b->back = UINT32_MAX;
	b->n_targets = 0;
	return elf64_read(&w->elf, off, b->code, b->len);
}

/* Adds what a call goes to, seen through a stub of the procedure linkage table. */
static int add_target(struct work *w, struct body *b, uint64_t va, bool slot)
{
	uint8_t stub[16];
	struct x86_insn i;
	uint64_t off, room;
	int r = 0;

	if (!slot) {
		room = elf64_code(&w->elf, va, &off);
		if (room >= sizeof(stub)) {
			struct span s = span_of(stub, sizeof(stub));

			r = elf64_read(&w->elf, off, stub, sizeof(stub));
			if (!r && !decode(s, &i) && i.class == X86_ENDBR) {
				s = span_sub(s, i.len, SIZE_MAX);
				off += i.len;
			}
			if (!r && !decode(s, &i) && i.class == X86_JMP_IND && i.rip) {
				va += (uint64_t)(s.p - stub) + i.len + (uint64_t)(int64_t)i.rel;
				slot = true;
			}
		}
	}
	if (!r && slot)
		r = elf64_slot(&w->elf, va, &va);
	if (r || !va)
		return r;
	for (unsigned k = 0; k < b->n_targets; k++)
		if (b->target[k] == va)
			return 0;
	if (b->n_targets == TARGETS_MAX)
		b->whole = false;
	else
		b->target[b->n_targets++] = va;
	return 0;
}

/* Decodes the function from end to end. What does not decode leaves it not whole: nothing is
 * concluded from it. targets: resolve what it calls, too. */
static int sweep(struct work *w, const struct elf64_func *f, bool targets, struct body *b)
{
	struct x86_insn i;
	int r = load(w, f, b);

	b->whole = !r && f->size && f->size == b->len;
	for (size_t off = 0; !r && off < b->len; off += i.len) {
		if (decode(rest(b, off), &i)) {
			b->whole = false;
			break;
		}

		uint64_t next = off + i.len, to = next + (uint64_t)(int64_t)i.rel;

		if (i.class == X86_CALL_IND || i.class == X86_JMP_IND) {
			b->indirect |= !i.rip;
			if (i.rip && targets)
				r = add_target(w, b, b->va + to, true);
		} else if (i.class == X86_CALL || i.class == X86_JMP || i.class == X86_JCC) {
			if (to && to < b->len)
				b->back = MIN(b->back, (uint32_t)to);
			else if (to && targets)
				r = add_target(w, b, b->va + to, false);
		}
	}
	return r;
}

static bool calls(const struct body *b, uint64_t va)
{
	for (unsigned k = 0; k < b->n_targets; k++)
		if (b->target[k] == va)
			return true;
	return false;
}

/* Along straight-line code to the first instruction that the kernel emulates, while arguments (and,
 * for a return probe, the stack) are untouched. False: there is none. */
static bool cheap(const struct body *b, bool returns, uint32_t *ret_off, enum site_choice *ret)
{
	struct x86_insn i;

	*ret = SITE_EXPORT_PUSH;
	for (uint32_t off = 0; off < WALK_MAX && !decode(rest(b, off), &i); off += i.len) {
		if (i.emulated) {
			*ret_off = off;
			return off <
			       b->back; /* else a loop could pass here more than once in one call */
		}
		if (i.writes_args || (returns && i.moves_sp) || i.class == X86_RET ||
		    i.class == X86_JMP_IND)
			return false;
		if (i.class != X86_ENDBR && i.class != X86_NOP)
			*ret = SITE_ENTRY_LATER;
	}
	return false;
}

/* The function that this one hands its arguments on to, unchanged and on every path; 0: none. */
static uint64_t handed_to(const struct body *b)
{
	struct x86_insn i;

	for (size_t off = 0; off < WALK_MAX && !decode(rest(b, off), &i); off += i.len) {
		if (i.class == X86_CALL || i.class == X86_JMP)
			return b->va + off + i.len + (uint64_t)(int64_t)i.rel;
		if (i.writes_args || i.class == X86_JCC || i.class == X86_RET ||
		    i.class == X86_JMP_IND)
			break;
	}
	return 0;
}

static void add_site(struct work *w, uint64_t va, enum fn fn, uint32_t site,
		     enum site_choice choice)
{
	struct survey *s = w->ret;
	struct survey_site *to = &s->sites[s->n_sites];
	uint64_t off;

	if (s->n_sites == SURVEY_SITES_MAX || !elf64_code(&w->elf, va, &off))
		return;
	for (unsigned i = 0; i < s->n_sites; i++)
		if (s->sites[i].offset == off)
			return; /* two names for one function */
	*to = (struct survey_site){ .offset = off, .site = site, .choice = choice };
	snprintf(to->symbol, sizeof(to->symbol), "%s", names[fn]);
	s->n_sites++;
}

static void own_site(struct work *w, enum fn fn, const struct body *b)
{
	enum site_choice choice;
	struct x86_insn i;
	uint32_t off;

	if (DECODES && decode(rest(b, 0), &i))
		return; /* not the beginning of a function */
	if (!cheap(b, probes[fn].returns, &off, &choice)) {
		choice = SITE_EXPORT_SLOW;
		off = 0;
	}
	add_site(w, b->va + off, fn, probes[fn].site, choice);
}

/* 1: the forms of the group that are kept all go through one internal function, which has got its
 * site. */
static int shared_site(struct work *w, const struct group *g, const struct body *bodies,
		       const bool *keep)
{
	enum fn anchor = g->last;
	enum site_choice choice;
	struct body inner;
	uint32_t off;
	uint64_t va;
	int r;

	while (anchor > g->first && !keep[anchor])
		anchor--;
	if (anchor == g->first)
		return 0; /* the plain form alone */
	va = handed_to(&bodies[anchor]);
	if (!va || !elf64_code(&w->elf, va, &(uint64_t){ 0 }))
		return 0;
	for (enum fn f = g->first; f <= g->last; f++) {
		if (w->fn[f].va == va)
			return 0; /* not an internal one */
		if (keep[f] && (!bodies[f].whole || bodies[f].indirect || !calls(&bodies[f], va)))
			return 0;
	}
	r = sweep(w, &(struct elf64_func){ .va = va }, false, &inner);
	if (r)
		return r;
	if (!cheap(&inner, true, &off, &choice))
		return 0;
	add_site(w, va + off, anchor, probes[anchor].site, SITE_INTERNAL_PUSH);
	return 1;
}

static int survey_group(struct work *w, const struct group *g)
{
	struct body bodies[FN_PROBED_] = {};
	bool keep[FN_PROBED_] = {};
	int r = 0;

	for (enum fn f = g->first; f <= g->last && !r; f++) {
		keep[f] = w->fn[f].va;
		if (keep[f])
			r = sweep(w, &w->fn[f], true, &bodies[f]);
	}
	/* A wrapper is served by what it wraps. Two that call each other (no compiler makes them)
	 * keep one. */
	for (enum fn f = g->first; f <= g->last; f++)
		for (enum fn k = g->first; k <= g->last; k++)
			if (keep[f] && keep[k] && k != f && calls(&bodies[f], w->fn[k].va))
				keep[f] = false;
	if (!r)
		r = shared_site(w, g, bodies, keep);
	if (r)
		return MIN(r, 0);
	for (enum fn f = g->first; f <= g->last; f++)
		if (keep[f])
			own_site(w, f, &bodies[f]);
	return 0;
}

static int survey_sites(struct work *w)
{
	static const char *const how[SITE_CHOICE_MAX_] = {
		[SITE_EXPORT_PUSH] = "exported",
		[SITE_INTERNAL_PUSH] = "shared internal",
		[SITE_ENTRY_LATER] = "exported, past its beginning",
		[SITE_EXPORT_SLOW] = "exported, slow",
	};
	struct survey *s = w->ret;
	const char *version = "";
	size_t len;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(versions) && !*version; i++)
		if (w->fn[versions[i].has].va)
			version = versions[i].name;
	len = (size_t)snprintf(s->why, sizeof(s->why), "%s", version);
	for (size_t i = 0; i < ARRAY_SIZE(groups) && !r; i++) {
		unsigned before = s->n_sites;
		uint32_t worst = 0;

		r = survey_group(w, &groups[i]);
		for (unsigned k = before; k < s->n_sites; k++)
			worst = MAX(worst, s->sites[k].choice);
		if (s->n_sites > before && len < sizeof(s->why))
			len += (size_t)snprintf(s->why + len, sizeof(s->why) - len, "; %s: %s",
						groups[i].what, how[worst]);
	}
	for (enum fn f = FN_FREE; f < FN_PROBED_ && !r; f++) {
		struct body b;

		if (!w->fn[f].va)
			continue;
		r = sweep(w, &w->fn[f], false, &b);
		if (!r)
			own_site(w, f, &b);
	}
	return r;
}

static bool has_tls(const struct work *w)
{
	/* SSL_new too: a library that only interposes some calls and passes them on would count
	 * each twice. */
	return w->fn[FN_NEW].va && (w->fn[FN_READ].va || w->fn[FN_WRITE].va ||
				    w->fn[FN_READ_EX].va || w->fn[FN_WRITE_EX].va);
}

int survey_file(int fd, struct survey *ret)
{
	struct work w = { .ret = ret };
	int r;

	*ret = (struct survey){ .verdict = SURVEY_NONE };
	r = elf64_open(&w.elf, fd);
	if (!r)
		r = elf64_build_id(&w.elf, ret->build_id, &ret->build_id_len);
	if (!r)
		r = elf64_dynamic(&w.elf, names, FN_MAX_, w.fn);
	if (!r && !has_tls(&w))
		r = elf64_static(&w.elf, names, FN_MAX_, w.fn);
	if (!r && has_tls(&w)) {
		ret->verdict = SURVEY_TLS;
		r = survey_sites(&w);
	} else if (!r) {
		snprintf(ret->why, sizeof(ret->why), "no TLS functions by name");
	}
	if (r) {
		ret->verdict = r == -EOPNOTSUPP ? SURVEY_NONE : SURVEY_BAD;
		ret->n_sites = 0;
		snprintf(ret->why, sizeof(ret->why), "%s", w.elf.why);
	}
	return 0;
}
