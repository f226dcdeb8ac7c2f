/* user/detect/sensitive_words.c - what consists of letters only: names, conditions, markings, bank
 * codes. The pattern engine finds the words that lead to them; what follows is looked at here.
 */
#include <ctype.h>

#include "base/own.h"
#include "detect/sensitive_words.h"

#define LEAD_MAX      24 /* bytes between a lead and its value */
#define NAME_WORDS    4
#define WORD_MAX      40 /* bytes of a word */
#define CONDITION_MAX 60
#define PERSON_NEAR   80 /* bytes around a condition in which somebody is meant */

enum lead_kind { LEAD_BIC, LEAD_MARKING, LEAD_NAME, LEAD_CONDITION, LEAD_CATEGORY };

static const struct lead {
	const char *text;
	enum lead_kind kind;
} leads[] = {
	{ "\\b(?:swift|bic)\\b", LEAD_BIC },
	{ "CONFIDENTIAL", LEAD_MARKING },
	{ "INTERNAL USE ONLY", LEAD_MARKING },
	{ "INTERNAL ONLY", LEAD_MARKING },
	{ "DO NOT DISTRIBUTE", LEAD_MARKING },
	{ "TOP SECRET", LEAD_MARKING },
	{ "SECRET//NOFORN", LEAD_MARKING },
	{ "ATTORNEY-CLIENT PRIVILEGED", LEAD_MARKING },
	{ "ATTORNEY CLIENT PRIVILEGED", LEAD_MARKING },
	{ "TLP:RED", LEAD_MARKING },
	{ "TLP:AMBER", LEAD_MARKING },
	{ "\\b(?:patient|customer|client|employee|cardholder|account "
	  "holder|applicant|claimant|insured|"
	  "full|first|last|legal|defendant|plaintiff|holder|member)[ _-]?(?:name)?[\"']?\\s?[:=]",
	  LEAD_NAME },
	{ "\\b(?:nombre|nom|nome|vorname|nachname|naam|nazwisko|имя|фамилия|фио|姓名|氏名|이름)[\"'"
	  "]?\\s?[:=]",
	  LEAD_NAME },
	{ "\\b(?:diagnosed with|diagnosis of|suffers from|suffering from|tested positive for|"
	  "treated for|history of|diagnosis[\"']?:)",
	  LEAD_CONDITION },
	{ "\\b(?:religion|ethnicity|ethnic origin|race|sexual orientation|political "
	  "affiliation|political opinion|"
	  "trade union|union membership|religious belief)[\"']?\\s?[:=]",
	  LEAD_CATEGORY },
};

bool words_pattern(size_t i, struct pattern *ret)
{
	if (i >= ARRAY_SIZE(leads))
		return false;
	*ret = (struct pattern){ .text = leads[i].text, .literal = leads[i].kind == LEAD_MARKING };
	return true;
}

static uint8_t at(struct span t, size_t i)
{
	return i < t.len ? t.p[i] : 0;
}

static size_t skip(struct span t, size_t i, const char *set)
{
	while (at(t, i) && strchr(set, t.p[i]))
		i++;
	return i;
}

static size_t word_end(struct span t, size_t i)
{
	size_t begin = i;

	while (i - begin <= WORD_MAX &&
	       (isalnum(at(t, i)) || at(t, i) >= 0x80 ||
		(strchr("'-.", at(t, i)) && at(t, i) && isalpha(at(t, i + 1)))))
		i++;
	return i;
}

/* Eight or eleven capitals and digits soon behind the lead. */
static bool bic(struct span t, size_t i, struct range *ret)
{
	size_t end = MIN(t.len, i + LEAD_MAX);

	for (; i < end; i++) {
		char c[12] = "";
		size_t n = 0;

		if (isalnum(at(t, i - 1)))
			continue;
		while (isupper(at(t, i + n)) || isdigit(at(t, i + n)))
			n++;
		if ((n != 8 && n != 11) || isalnum(at(t, i + n)))
			continue;
		memcpy(c, t.p + i, n);
		if (strspn(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") < 6 || !check_bic(c, n))
			continue;
		*ret = (struct range){ i, i + n };
		return true;
	}
	return false;
}

/* Two to four words with a capital, or a few characters of a script without capitals. */
static bool name(struct span t, size_t i, struct range *ret)
{
	size_t end, n = 0, last;

	i = skip(t, i, " \t\"'*:=");
	for (last = i; n < NAME_WORDS; n++) {
		if (!isupper(at(t, last)) && at(t, last) < 0x80)
			break;
		end = word_end(t, last);
		if (end - last > WORD_MAX)
			return false;
		*ret = (struct range){ i, end };
		if (at(t, end) != ' ')
			return n >= 1 || (at(t, i) >= 0xe0 && end - i >= 6 && end - i <= 24);
		last = end + 1;
	}
	return n >= 2;
}

/* Words of illness: stems. */
static bool illness(struct span s)
{
	static const char *const stems[] = {
		"diabet",  "cancer",	"hiv",	    "aids",	 "depress",  "anxiety",
		"asthma",  "hypertens", "schizo",   "bipolar",	 "hepatit",  "epilep",
		"alzheim", "parkinson", "leukemi",  "lymphom",	 "tumor",    "carcinom",
		"arthrit", "copd",	"disorder", "disease",	 "syndrome", "infection",
		"pneumon", "bronch",	"migraine", "anemia",	 "stroke",   "failure",
		"addict",  "alcohol",	"autis",    "sclerosis", "dementia", "thyroid",
		"renal",   "cardi",	"itis",	    "osis",	 "emia",     "pregnan",
	};

	for (size_t i = 0; i < ARRAY_SIZE(stems); i++)
		if (ascii_contains(s, stems[i]))
			return true;
	return false;
}

static bool somebody(struct span t, size_t begin, size_t end)
{
	static const char *const persons[] = { "patient", "mr.",      "mrs.",	  "ms.",     "mrn",
					       "dob",	  "claimant", "provider", "insured", "dx" };
	size_t from = begin > PERSON_NEAR ? begin - PERSON_NEAR : 0;
	struct span near = span_sub(t, from, end + PERSON_NEAR - from);

	for (size_t i = 0; i < ARRAY_SIZE(persons); i++)
		if (ascii_contains(near, persons[i]))
			return true;
	return false;
}

static bool condition(struct span t, size_t i, struct range *ret)
{
	size_t begin = skip(t, i, " \t\"':="), end = begin;

	while (end < t.len && end - begin < CONDITION_MAX && !strchr(".,;:\n\"|(<{", t.p[end]))
		end++;
	*ret = (struct range){ begin, end };
	return end > begin && illness(span_sub(t, begin, end - begin)) && somebody(t, i, end);
}

static bool category(struct span t, size_t i, struct range *ret)
{
	size_t begin = skip(t, i, " \t\"':="), end = word_end(t, begin);

	*ret = (struct range){ begin, end };
	return end - begin >= 4 && end - begin <= 24 && isupper(at(t, begin));
}

/* In capitals, and not a word among others in capitals: at the head of a line or in brackets. */
static bool marking(struct span t, struct range where)
{
	size_t i = where.begin;

	while (i && strchr(" \t*#[(_-=:/", t.p[i - 1]))
		i--;
	return !isalnum(at(t, where.end)) &&
	       (!i || t.p[i - 1] == '\n' || i + 1 < where.begin || !isupper(t.p[i - 1]));
}

bool words_value(const struct hit *h, struct span t, struct sensitive_hit *ret)
{
	size_t i = h->where.end;

	*ret = (struct sensitive_hit){ .score = .75f, .worded = true, .where = h->where };
	switch (leads[h->pattern].kind) {
	case LEAD_BIC:
		ret->id = SENSITIVE_BIC;
		return bic(t, i, &ret->where);
	case LEAD_MARKING:
		ret->id = SENSITIVE_CONFIDENTIAL_MARKING;
		return marking(t, h->where);
	case LEAD_NAME:
		ret->id = SENSITIVE_PERSON_NAME;
		return name(t, i, &ret->where);
	case LEAD_CONDITION:
		ret->id = SENSITIVE_HEALTH_CONDITION;
		return condition(t, i, &ret->where);
	case LEAD_CATEGORY:
		ret->id = SENSITIVE_SPECIAL_CATEGORY;
		return category(t, i, &ret->where);
	}
	return false;
}
