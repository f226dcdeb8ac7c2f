/* user/capture/sites.c - reads and writes tables of probe sites. Owns nothing. The table is the
 * administrator's, the file that it is applied to is hostile.
 */
#include "capture/sites.h"

#include <errno.h>

#include "base/own.h"
#include "capture/elf64.h"
#include "capture/x86.h"

#define INSN_MAX   15
#define NUMBER_MAX 18 /* 0x and 16 digits */

static struct span line_of(struct span *s)
{
	const uint8_t *end = s->len ? memchr(s->p, '\n', s->len) : NULL;
	struct span line = span_sub(*s, 0, end ? (size_t)(end - s->p) : s->len);

	*s = span_sub(*s, line.len + 1, SIZE_MAX);
	return line;
}

static struct span word_of(struct span *s)
{
	struct span word;
	size_t n = 0;

	while (s->len && *s->p == ' ')
		*s = span_sub(*s, 1, SIZE_MAX);
	while (n < s->len && s->p[n] != ' ')
		n++;
	word = span_sub(*s, 0, n);
	*s = span_sub(*s, n + 1, SIZE_MAX);
	return word;
}

/* Index of the word, 0 when it is none of them and for those that have no name. */
static uint32_t number_of(struct span word, const char *const *names, uint32_t n, uint32_t none)
{
	for (uint32_t i = 0; i < n; i++)
		if (names[i] && span_eq(word, span_str(names[i])))
			return i;
	return none;
}

static int digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool offset_of(struct span word, uint64_t *ret)
{
	*ret = 0;
	if (word.len < 3 || word.len > NUMBER_MAX || !span_starts(word, SPAN_LIT("0x")))
		return false;
	for (size_t i = 2; i < word.len; i++) {
		int d = digit(word.p[i]);

		if (d < 0)
			return false;
		*ret = *ret << 4 | (uint64_t)d;
	}
	return true;
}

static bool is_id(struct span word, const struct survey *s)
{
	if (s->build_id_len < SITES_ID_MIN || word.len != 2 * (size_t)s->build_id_len)
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (digit(word.p[i]) != (s->build_id[i / 2] >> (i % 2 ? 0 : 4) & 15))
			return false;
	return true;
}

static int bad(struct survey *s, const char *why)
{
	s->n_sites = 0;
	snprintf(s->why, sizeof(s->why), "its table of sites is void: %s", why);
	return -EBADMSG;
}

/* Does an instruction of the promised kind begin here? */
static const char *check_code(struct span code, const struct survey_site *site)
{
#ifdef __x86_64__
	struct x86_insn i;

	if (x86_decode(code, &i))
		return "an offset without an instruction";
	if (!i.emulated && site->choice != SITE_EXPORT_SLOW)
		return "another instruction than it says";
#else
	(void)site;
	if (code.len < sizeof(uint32_t))
		return "an offset without an instruction";
#endif
	return NULL;
}

/* A table for another build would have to have its build-id and an instruction in each place. */
static const char *check(struct elf64 *e, const struct survey_site *site)
{
	uint64_t room = elf64_code_at(e, site->offset);
	uint8_t code[INSN_MAX];
	size_t n = MIN(room, sizeof(code));

	if (!n)
		return "an offset outside the code";
	if (elf64_read(e, site->offset, code, n))
		return "an offset that cannot be read";
	return check_code(span_of(code, n), site);
}

int sites_check(int fd, const struct survey *s, uint64_t from, uint64_t to)
{
	for (uint32_t i = 0; i < s->n_sites; i++) {
		const struct survey_site *site = &s->sites[i];
		uint8_t code[INSN_MAX];
		ssize_t n;

		if (!site->site || site->site >= EV_SITE_MAX_ || site->choice >= SITE_CHOICE_MAX_ ||
		    site->offset < from || site->offset >= to)
			return -EBADMSG;
		n = pread(fd, code, MIN(sizeof(code), to - site->offset), (off_t)site->offset);
		if (n <= 0 || check_code(span_of(code, (size_t)n), site))
			return -EBADMSG;
	}
	return 0;
}

static int read_site(struct elf64 *e, struct span line, struct survey *s)
{
	struct survey_site *to = &s->sites[s->n_sites];
	struct span offset = word_of(&line), op = word_of(&line), choice = word_of(&line),
		    symbol = word_of(&line);
	const char *wrong;

	if (s->n_sites == SURVEY_SITES_MAX)
		return bad(s, "too many sites");
	*to = (struct survey_site){
		.site = number_of(op, site_names, EV_SITE_MAX_, 0),
		.choice = number_of(choice, site_choice_names, SITE_CHOICE_MAX_, SITE_CHOICE_MAX_),
	};
	if (!offset_of(offset, &to->offset) || !to->site || to->choice == SITE_CHOICE_MAX_)
		return bad(s, "a site that is not understood");
	memcpy(to->symbol, symbol.p, MIN(symbol.len, sizeof(to->symbol) - 1));
	wrong = check(e, to);
	if (wrong)
		return bad(s, wrong);
	s->n_sites++;
	return 0;
}

int sites_find(int fd, struct span table, struct survey *s)
{
	struct span line, word, what = { 0 };
	bool ours = false;
	struct elf64 e;
	int err = 0;

	while (table.len && !err) {
		line = line_of(&table);
		word = word_of(&line);
		if (span_eq(word, SPAN_LIT("file"))) {
			if (ours)
				break;
			ours = is_id(word_of(&line), s);
			what = line;
			if (ours && elf64_open(&e, fd))
				return bad(s, e.why);
		} else if (!ours || !word.len || *word.p == '#') {
			continue;
		} else if (span_eq(word, SPAN_LIT("site"))) {
			err = read_site(&e, line, s);
		} else {
			err = bad(s, "a line that is not understood");
		}
	}
	if (err || !ours)
		return err;
	if (!s->n_sites)
		return bad(s, "no sites");
	s->verdict = SURVEY_TLS;
	snprintf(s->why, sizeof(s->why), "by table: %.*s", (int)MIN(what.len, sizeof(s->why)),
		 what.len ? (const char *)what.p : "");
	return 1;
}

int sites_print(FILE *to, const struct survey *s, const char *what)
{
	if (!s->n_sites || s->build_id_len < SITES_ID_MIN)
		return -EINVAL;
	fputs("file ", to);
	for (uint32_t i = 0; i < s->build_id_len; i++)
		fprintf(to, "%02x", s->build_id[i]);
	fprintf(to, " %s\n", what);
	for (uint32_t i = 0; i < s->n_sites; i++)
		fprintf(to, "site 0x%jx %s %s %s\n", (uintmax_t)s->sites[i].offset,
			site_names[s->sites[i].site], site_choice_names[s->sites[i].choice],
			s->sites[i].symbol);
	return ferror(to) ? -EIO : 0;
}
