/* user/detect/credential_word.c - what people write and what chance makes. Owns a table of how much
 * each letter surprises behind another one.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "base/own.h"
#include "detect/credential.h"

#define RANDOM_BITS  4.4 /* of surprise per pair of letters: names and words have 3 to 4.3 */
#define CERTAIN_BITS 5.0 /* so much alone will do; chance has 6.4 on the average */
#define PAIRS_MIN    4	 /* pairs of letters that say something */
#define HEX_ENTROPY  2.8
#define ENTROPY_MIN                                                                                \
	3.0 /* random hex of 20 and more characters has 3.4 and more, random base62 more than 4 */
#define ENTROPY_PART .7 /* of what its length allows, for what is shorter */

/* -log2 of how often a letter (column) comes behind another one (row) in words of many languages
 * and names in code. */
static const char surprise[26][27] = {
	/* clang-format off */
	"95448757586343a59343667868", /* a */
	"3677389937938838b456399b69", /* b */
	"396839a348458928a46359aa67", /* c */
	"3775277728966737a447577a68", /* d */
	"47436668687453767234767578", /* e */
	"387733892aa48538b465498a6b", /* f */
	"3887285439847447b356499a78", /* g */
	"2887289a3a866638a564588b5a", /* h */
	"5545465999745246853485a8b6", /* i */
	"2987288d4a78772789573999da", /* j */
	"3776277638657546a635598a69", /* k */
	"377527692a737737b85557aa4b", /* l */
	"2577279a3b975733b958589a7b", /* m */
	"4844353848768648a843669a68", /* n */
	"6645765869644255a344455878", /* o */
	"387736854d848834a354599a7d", /* p */
	"7a787ada7dd5889aa7770d8aad", /* q */
	"376527683b665537a544568b58", /* r */
	"48483784396667448842487a68", /* s */
	"387828942a967847b345597958", /* t */
	"4555465948744385c333a8a788", /* u */
	"398819892c988846b7787a8a8b", /* v */
	"276627843b868437b5587a886a", /* w */
	"484735963b8767629863687469", /* x */
	"4546477848754443a534685987", /* y */
	"277718773b966548a886496946", /* z */
	/* clang-format on */
};

/* What a string is made of. */
struct makeup {
	size_t upper, lower, digits, signs, changes, pairs, bits, hex;
};

static enum { UPPER, LOWER, DIGIT, SIGN } class_of(uint8_t c)
{
	return isupper(c) ? UPPER : islower(c) ? LOWER : isdigit(c) ? DIGIT : SIGN;
}

static struct makeup look(struct span s)
{
	struct makeup m = { 0 };

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i], last = i ? s.p[i - 1] : 0;
		unsigned class = class_of(c);

		m.upper += class == UPPER;
		m.lower += class == LOWER;
		m.digits += class == DIGIT;
		m.signs += class == SIGN;
		m.hex += isxdigit(c) || c == '-';
		if (!i)
			continue;
		m.changes += class != class_of(last);
		/* A capital begins another word. */
		if (!isalpha(c) || !isalpha(last) || (class == UPPER && islower(last)))
			continue;
		c = surprise[tolower(last) - 'a'][tolower(c) - 'a'];
		m.bits += (size_t)(c <= '9' ? c - '0' : c - 'a' + 10);
		m.pairs++;
	}
	return m;
}

static double bits_of(const struct makeup *m)
{
	return m->pairs ? (double)m->bits / (double)m->pairs : 0;
}

double credential_entropy(struct span s)
{
	unsigned count[256] = { 0 };
	double bits = 0;

	for (size_t i = 0; i < s.len; i++)
		count[s.p[i]]++;
	for (unsigned i = 0; i < 256; i++)
		if (count[i])
			bits -= count[i] * log2((double)count[i] / (double)s.len);
	return s.len ? bits / (double)s.len : 0;
}

bool credential_placeholder(struct span s)
{
	static const char *const words[] = { "xxxx",	 "example",  "placeholder", "redacted",
					     "dummy",	 "sample",   "your",	    "insert",
					     "changeme", "fake",     "abcdefgh",    "12345678",
					     "00000000", "....",     "****",	    "mykey",
					     "replace",	 "secretkey" };
	/* Of standards and manuals. */
	static const char *const famous[] = { "2yotnfzfejr1zcsicmwpaa",
					      "tgzv3jokf0xg5qx2tlkwia",
					      "splxlobezqqybys6wxsbia",
					      "mf_9.b5f-4.1jqm",
					      "gx1fbat3bv",
					      "jbswy3dpehpk3pxp",
					      "wjalrxutnfemi",
					      "4ec39hqlyjwdarjtt1zdp7dc",
					      "bm90ig15ihjlywwgcgfzc3dvcmq" };
	size_t steps = 0, back = 0, every_other = 0;
	bool hex = true;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (ascii_contains(s, words[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(famous); i++)
		if (ascii_contains(s, famous[i]))
			return true;
	/* "abcdef", "987654", "1a2b3c4d" */
	for (size_t i = 0; i < s.len; i++)
		hex &= isxdigit(s.p[i]) != 0;
	for (size_t i = 1; i < s.len; i++) {
		steps += s.p[i] == s.p[i - 1] || s.p[i] == s.p[i - 1] + 1;
		back += s.p[i] + 1 == s.p[i - 1];
		every_other += i > 1 && abs(s.p[i] - s.p[i - 2]) == 1;
	}
	return steps * 3 > s.len || back * 3 > s.len || every_other * 5 > s.len * 2 ||
	       credential_entropy(s) <
		   MIN(hex ? HEX_ENTROPY : ENTROPY_MIN, ENTROPY_PART * log2((double)s.len + 1));
}

bool credential_random(struct span s)
{
	struct makeup m = look(s);

	if (m.hex == s.len)
		return m.digits * 5 > s.len && m.digits < s.len &&
		       credential_entropy(s) >= HEX_ENTROPY;
	if (m.pairs >= 2 * PAIRS_MIN && bits_of(&m) >= CERTAIN_BITS)
		return true;
	return m.changes * 6 >= s.len && m.digits &&
	       (m.pairs < PAIRS_MIN || bits_of(&m) >= RANDOM_BITS);
}

bool credential_password(struct span s)
{
	struct makeup m = look(s), word;
	size_t stem = s.len, marks = 0;

	/* A word with a number or a mark behind it is what people put in examples, too. */
	while (stem && !isalpha(s.p[stem - 1]))
		stem--;
	word = look(span_sub(s, 0, stem));
	if (stem && s.len - stem <= 6 && !word.digits && !word.signs && word.changes * 3 <= stem)
		return word.pairs > PAIRS_MIN && bits_of(&word) >= CERTAIN_BITS;
	/* What joins words makes no password. */
	for (size_t i = 0; i < s.len; i++)
		marks += ispunct(s.p[i]) && !strchr("_-./:", s.p[i]);
	if (!m.digits && !marks)
		return m.changes * 2 >= s.len ||
		       (m.pairs > PAIRS_MIN && bits_of(&m) >= CERTAIN_BITS);
	if (m.upper && m.lower && m.changes >= 3)
		return true;
	return m.changes >= 3 && (m.pairs < PAIRS_MIN || bits_of(&m) >= RANDOM_BITS);
}
