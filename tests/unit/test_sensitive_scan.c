/* tests/unit/test_sensitive_scan.c - the table of types of sensitive data, what is found in a text,
 * what is not, and the words that decide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "detect/sensitive.h"
#include "guard.h"

#define HITS_MAX 512
#define TRIES	 30000

static struct sensitive_hit hits[HITS_MAX];
static size_t n_hits;

static void scan(const char *text)
{
	n_hits = sensitive_scan(span_str(text), hits, HITS_MAX, HITS_MAX);
	for (size_t i = 0; i < n_hits; i++) {
		assert_true(hits[i].where.begin < hits[i].where.end &&
			    hits[i].where.end <= strlen(text));
		assert_true(!i || hits[i].where.begin >= hits[i - 1].where.end);
		assert_true(hits[i].score > 0 && hits[i].score <= 1);
	}
}

static const char *type(size_t i)
{
	return i < n_hits ? sensitive_types[hits[i].id].id : "nothing";
}

static uint32_t state = 1;

static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

/* A random value of a form, with every separator or with none. */
static void make(const char *form, size_t len, bool grouped, char *out)
{
	for (size_t i = 0; i < len; i++) {
		char c = form[i];

		if (strchr("-=", c)) {
			if (grouped)
				*out++ = '-';
		} else if (c == '#' || (c == 'X' && below(2))) {
			*out++ = (char)('0' + below(10));
		} else if (c == 'A' || c == 'X') {
			*out++ = (char)('A' + below(26));
		} else {
			*out++ = (char)(c >= 'a' && c <= 'z' ? c - 0x20 : c);
		}
	}
	*out = 0;
}

static void plain(const char *value, char *out)
{
	for (; *value; value++)
		if (!strchr("-./ ", *value))
			*out++ = *value;
	*out = 0;
}

static void rows_are_whole(void **st)
{
	struct fold *fold;

	(void)st;
	assert_int_equal(fold_new(&fold), 0);
	for (enum sensitive_id id = 0; id < SENSITIVE_MAX_; id++) {
		const struct sensitive_type *t = &sensitive_types[id];
		struct view folded = { .bytes = BUF(64 << 10) };

		assert_true(t->id && *t->id && strlen(t->id) < 48 && *t->name && t->forms &&
			    t->words);
		assert_true((t->need == NEED_MATCH || id == SENSITIVE_IBAN) == !*t->forms);
		assert_true(t->need != NEED_WORD || *t->words);
		for (enum sensitive_id other = 0; other < id; other++)
			assert_string_not_equal(t->id, sensitive_types[other].id);
		/* Texts are folded before they are searched. */
		assert_int_equal(fold_view(fold, span_str(t->words), &folded), 0);
		if (!span_eq(buf_span(&folded.bytes), span_str(t->words)))
			fail_msg("%s: write its words as \"%.*s\"", t->id, (int)folded.bytes.len,
				 (char *)folded.bytes.p);
		for (const char *w = t->words; *w; w++)
			assert_false(*w >= 'A' && *w <= 'Z');
		buf_free(&folded.bytes);
		free(folded.runs);
	}
	fold_free(&fold);
}

/* Whatever has a form is found behind each word of its type, grouped and not. Another type may
 * claim it that has the same word. */
static void each_type_is_found(void **st)
{
	unsigned types = 0;

	(void)st;
	for (enum sensitive_id id = 0; id < SENSITIVE_MAX_; id++) {
		const struct sensitive_type *t = &sensitive_types[id];
		unsigned found = 0, asked = 0, own = 0;

		if (!*t->forms || t->class == DATA_NEGATIVE)
			continue;
		for (const char *w = t->words; *w;) {
			size_t n = strcspn(w, "|"), len = strcspn(t->forms, " ");
			char value[64], c[64], text[200];
			unsigned tries = 0;

			do {
				make(t->forms, len, asked & 1, value);
				plain(value, c);
			} while (
			    ((t->check && !t->check(c, strlen(c))) || !strpbrk(c, "0123456789")) &&
			    ++tries < TRIES);
			if (tries == TRIES)
				break; /* chance does not make one */
			snprintf(text, sizeof(text), "%.*s: %s.",
				 (int)(n - (n && strchr("!*", w[n - 1]) != NULL)), w, value);
			scan(text);
			asked++;
			found += n_hits > 0;
			own += n_hits && hits[n_hits - 1].id == id;
			w += n + (w[n] == '|');
		}
		if (found < asked || (asked > 3 && own * 2 < asked))
			fail_msg("%s: %u of %u found, %u as such", t->id, found, asked, own);
		types += asked > 0;
	}
	assert_true(types > 100);
}

static void what_has_no_form(void **st)
{
	static const struct {
		const char *text, *type, *value;
	} rows[] = {
		{ "write to jane.doe+x@mail.acme.co.uk, please", "email",
		  "jane.doe+x@mail.acme.co.uk" },
		{ "email: root@intranet.corp", "email", "root@intranet.corp" },
		{ "pay ravi.k@okhdfcbank now", "in-upi", "ravi.k@okhdfcbank" },
		{ "call +49 30 901820-15 or", "phone-e164", "+49 30 901820-15" },
		{ "+1 (415) 867-5309 2024", "phone-e164", "+1 (415) 867-5309" },
		{ "at (415) 867-5309.", "phone-nanp", "(415) 867-5309" },
		{ "415-867-5309", "phone-nanp", "415-867-5309" },
		{ "tel. 06 12 34 56 78", "phone-national", "06 12 34 56 78" },
		{ "Telefon: 030/1234567", "phone-national", "030/1234567" },
		{ "логин ip 85.214.132.117:443", "ip-address", "85.214.132.117" },
		{ "client 2a02:8108:50bf:c694::1f", "ip-address", "2a02:8108:50bf:c694::1f" },
		{ "mac 3c:22:fb:9e:01:7a", "mac-address", "3c:22:fb:9e:01:7a" },
		{ "idfa 6D92078A-8246-4BA4-AE5B-76104861E7DC", "advertising-id",
		  "6D92078A-8246-4BA4-AE5B-76104861E7DC" },
		{ "gps: 52.51630, 13.37770", "geo-coordinates", "52.51630, 13.37770" },
		{ "location 40.7128° N, 74.0060° W", "geo-coordinates", "40.7128° N, 74.0060" },
		{ "her salary is $120,500 now", "salary", "$120,500" },
		{ "lives at 1215 Old Pine Rd, Franklin", "postal-address", "1215 Old Pine Rd" },
		{ "wohnt Musterstrasse 12 in Kiel", "postal-address", "Musterstrasse 12" },
		{ "12 rue de la Paix, Paris", "postal-address", "12 rue de la Paix" },
		{ "prescribed Metformin 500 mg daily", "medication", "Metformin 500 mg" },
		{ "DE89 3704 0044 0532 0130 00", "iban", "DE89 3704 0044 0532 0130 00" },
		{ "to GB82WEST12345698765432.", "iban", "GB82WEST12345698765432" },
		{ "L898902C36UTO7408122F1204159ZE184226B<<<<<10", "passport-mrz",
		  "L898902C36UTO7408122F1204159ZE184226B<<<<<10" },
		{ ";5490123456789128=26011011234567?", "card-track2",
		  ";5490123456789128=26011011234567?" },
		{ "%B5490123456789128^SMITH/J^26011011234567?", "card-track1",
		  "%B5490123456789128^SMITH/J^26011011234567?" },
		{ ";4929421234600823=26011011234567?", "nothing", "" },
		{ "send to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "crypto-btc",
		  "1BoatSLRHtKNngkdXEeobR76b53LETtpyT" },
		{ "ssn 536-22-8145 a", "us-ssn", "536-22-8145" },
		{ "\\nssn:536228145\\n", "us-ssn", "536228145" },
		{ "AB 34 56 78 C", "gb-nino", "AB 34 56 78 C" },
		{ "身份证11010519491231002X号", "cn-ric", "11010519491231002X" },
		{ "{\"cardNumber\":\"4929421234600821\"}", "payment-card", "4929421234600821" },
		{ "date_of_birth=1985-03-12", "date-of-birth", "1985-03-12" },
		{ "geb. 12.03.1985 in", "date-of-birth", "12.03.1985" },
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scan(rows[i].text);
		if (strcmp(type(0), rows[i].type))
			fail_msg("%s: %s", rows[i].text, type(0));
		if (n_hits && (hits[0].where.end - hits[0].where.begin != strlen(rows[i].value) ||
			       memcmp(rows[i].text + hits[0].where.begin, rows[i].value,
				      strlen(rows[i].value))))
			fail_msg("%s: %.*s", rows[i].text,
				 (int)(hits[0].where.end - hits[0].where.begin),
				 rows[i].text + hits[0].where.begin);
	}
}

/* What only looks like it. */
static void look_alikes(void **st)
{
	static const char *const rows[] = {
		"4111 1111 1111 1111 and 4242-4242-4242-4242 and 5555555555554444",
		"order 4929421234600823, tracking number 9400111899223197428490",
		"1718000000 1718000000123 1718000000123456 1718000000123456789",
		"6ba7b810-9dad-11d1-80b4-00c04fd430c8",
		"[0.123456789, -0.987654321, 536.228145, 12.345678901234]",
		"v1.22.333.4444, build 20240115.123456789, OID 1.3.6.1.4.1.38857.15",
		"ISBN 978-3-16-148410-0 and EAN 4006381333931",
		"sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709 d41d8cd98f00b204e9800998ecf8427e",
		"2024-01-02 03:04:05.678901234 INFO [12345] 10.0.0.1:8080 127.0.0.1 192.168.1.1",
		"0x7fffdeadbeef 0123456789abcdef #define MAX 4294967295",
		"3.14159265358979 299792458 6.02214076e23 1,234,567,890",
		"git@github.com:acme/repo.git @types/node icon@2x.png user@example.com @media",
		"078-05-1120 is the famous one, 000-12-3456 and 666-12-3456 none at all",
		"lines 123456789-123456799, pages 100-200, 2020-2024, 50/50",
		"https://acme.com/item/536228145?id=4929421234600821_1",
		"tokens: 4096, 318, 2048; 1234567890 1111111111 0000000000",
		"std::vector<int>::iterator ::1 fe80::1 a:b:c 12:34:56",
		"arr[536228145] x_536228145_y 536228145px",
		"TLS 1.3, RFC 8446, ISO 9001, AES-256, SHA-512, E5-2680",
		"call me at 1+1 or 555-0100",
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scan(rows[i]);
		if (n_hits)
			fail_msg("%s: %s", rows[i], type(0));
	}
}

/* A number says little: the words near it do. */
static void words_decide(void **st)
{
	static const struct {
		const char *text, *type;
	} rows[] = {
		{ "the bsn is 111222333", "nl-bsn" },
		{ "the sum is 111222333", "nothing" },
		{ "bsnx 111222333", "nothing" },
		{ "customerBsn=111222333", "nl-bsn" },
		{ "customer_bsn 111222333", "nl-bsn" },
		{ "BSNs: 111222333", "nl-bsn" },
		{ "111222333 (bsn)", "nl-bsn" },
		{ "medical record number: 4368748", "mrn" },
		{ "medical_record_number=4368748", "mrn" },
		/* a key stands right before its value, on its line */
		{ "medical record\n4368748", "nothing" },
		{ "medical record 12 and then 4368748", "nothing" },
		{ "mrn, unlike the account number 4368748", "us-bank-account" },
		/* everyday words only right before */
		{ "run 76086428-5", "cl-rut" },
		{ "we run this every day on number 76086428-5", "nothing" },
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scan(rows[i].text);
		if (strcmp(type(0), rows[i].type))
			fail_msg("%s: %s", rows[i].text, type(0));
	}
	/* too far away */
	scan("bsn                                                                                  "
	     "     "
	     "                                       111222333");
	assert_int_equal(n_hits, 0);
}

/* What is written where a number is to stand, and a card of the net as switches print it. */
static void samples(void **st)
{
	static const struct {
		const char *text;
		size_t n;
	} rows[] = {
		{ "account number: 12345678", 0 }, { "account number: 87654321", 0 },
		{ "account number: 00000000", 0 }, { "account number: 12345687", 1 },
		{ "phone: 1234567890", 0 },	   { "phone: 1234567809", 1 },
		{ "MAC 001b.5a6f.789a", 1 },	   { "001b.5a6f.789a", 0 },
		{ "MAC 001b.5a6f.789", 0 },	   { "MAC 001b.5a6f.789a.0", 0 },
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scan(rows[i].text);
		if (n_hits != rows[i].n)
			fail_msg("%zu in: %s", n_hits, rows[i].text);
	}
}

/* What stands above a value in its table tells what it is, however wide the table. */
static void tables(void **st)
{
	static const char *const names[] = { "id",	"family name",	   "date of birth",
					     "SSN",	"passport_number", "driversLicense",
					     "MRN",	"account number",  "remarks and hints",
					     "zip code" };
	static const char *const values[] = { "1",	   "Somebody", "1961-04-17", "536-22-8145",
					      "C04711836", "D4711836", "7261943",    "8820114573",
					      "none",	   "12345" };
	static const enum sensitive_id ids[] = {
		SENSITIVE_DATE_OF_BIRTH,     SENSITIVE_US_SSN, SENSITIVE_US_PASSPORT,
		SENSITIVE_US_DRIVER_LICENSE, SENSITIVE_MRN,    SENSITIVE_US_BANK_ACCOUNT
	};
	static const struct {
		const char *separator, *rule, *end;
	} kinds[] = {
		{ ",", "", "\n" },
		{ ";", "", "\r\n" },
		{ "\t", "", "\n" },
		{ " | ", "|---|:--:|\n", "\n" },
	};
	char text[4096];

	(void)st;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		text[0] = 0;
		for (unsigned row = 0; row < 10; row++) {
			for (size_t i = 0; i < ARRAY_SIZE(names); i++)
				sprintf(text + strlen(text), "%s%s", i ? kinds[k].separator : "",
					row ? values[i] : names[i]);
			sprintf(text + strlen(text), "%s%s", kinds[k].end,
				row ? "" : kinds[k].rule);
		}
		scan(text);
		assert_int_equal(n_hits, 9 * ARRAY_SIZE(ids));
		for (size_t i = 0; i < n_hits; i++)
			assert_int_equal(hits[i].id, ids[i % ARRAY_SIZE(ids)]);
	}
	/* A separator in quotes is none. */
	scan("name,mrn,city\n\"Body, Some\",7261943,Rom\n");
	assert_int_equal(n_hits, 1);
	scan("INSERT INTO people (id, mrn, city) VALUES (1, '7261943', 'Rom');");
	assert_int_equal(n_hits, 1);
	scan("name,phone\nBody,081 4711836\n");
	assert_int_equal(n_hits, 1);
	/* Another column, another number of fields, a head with digits, and everyday words where
	 * nothing is checked. */
	scan("name,mrn,city\nSome,Body,7261943\n");
	assert_int_equal(n_hits, 0);
	scan("name,mrn,city\nSome,7261943\n");
	assert_int_equal(n_hits, 0);
	scan("name2,mrn,city\nSome,7261943,Rom\n");
	assert_int_equal(n_hits, 0);
	scan("name,code,city\nSome,A12,Rom\n");
	assert_int_equal(n_hits, 0);
}

/* The head of a table holds for its rows. */
static void lists(void **st)
{
	char text[4096] = "name,bsn\n";

	(void)st;
	for (unsigned i = 0; i < 40; i++)
		sprintf(text + strlen(text), "Somebody With A Name %u,%s\n", i,
			i & 1 ? "111222333" : "123456782");
	scan(text);
	assert_int_equal(n_hits, 40);
	/* A list of cards needs no head; one of numbers of which some fit is none. */
	text[0] = 0;
	for (unsigned i = 0; i < 200; i++)
		sprintf(text + strlen(text), "%s\n",
			i % 2 ? "4929421234600821" : "5490123456789128");
	scan(text);
	assert_in_range(n_hits, 190, 199);
	text[0] = 0;
	for (unsigned i = 0; i < 200; i++)
		sprintf(text + strlen(text), "%s\n",
			i % 4 ? "4929421234600823" : "5490123456789128");
	scan(text);
	assert_int_equal(n_hits, 0);
	strcpy(text, "bsn");
	for (unsigned i = 0; i < 40; i++)
		strcat(text, " 111222333,");
	n_hits = sensitive_scan(span_str(text), hits, HITS_MAX, 7);
	assert_int_equal(n_hits, 7);
	n_hits = sensitive_scan(span_str(text), hits, 5, 7);
	assert_int_equal(n_hits, 5);
}

static void any_end(void **st)
{
	static const char text[] =
	    "ssn 536-22-8145 +1 (415) 867-5309 a@b.co 85.214.132.117 3c:22:fb:9e:01:7a $1,234,567 "
	    "12 Main St 5 mg 52.51630, 13.37770 身份证11010519491231002X "
	    "%B4929421234600821^A/B^2601? "
	    "L898902C36UTO7408122F1204159ZE184226B<<<<<10 DE89 3704 0044 0532 0130 00 "
	    "0x52908400098527886E0F7030069857D2E4169EE7";
	struct guard g = guard_new(sizeof(text));

	(void)st;
	for (size_t n = 0; n < sizeof(text); n++)
		sensitive_scan(guard_put(&g, span_of(text, n)), hits, HITS_MAX, HITS_MAX);
	for (size_t n = 0; n < sizeof(text); n++)
		sensitive_scan(guard_put(&g, span_of(text + n, sizeof(text) - n)), hits, HITS_MAX,
			       HITS_MAX);
	guard_free(&g);
}

/* Floods of what begins like a value take time in proportion to their length: a second for all of
 * these megabytes is far more than they need, and far less than a square of it. */
static void floods_end(void **st)
{
	static const char *const units[] = { "1",
					     "1 ",
					     "1.",
					     "1-",
					     "12-34-",
					     "1:",
					     "+1 ",
					     "@",
					     "a@b.",
					     "1a",
					     "A1 ",
					     "$1,234",
					     "12 Aa ",
					     "5 mg ",
					     "0x1",
					     "1<",
					     "(212)",
					     "ssn ",
					     "card 4929421234600821 " };
	size_t n = 256 << 10;
	char *text = malloc(n + 1);

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		for (size_t at = 0; at < n; at++)
			text[at] = units[i][at % strlen(units[i])];
		text[n] = 0;
		n_hits = sensitive_scan(span_of(text, n), hits, HITS_MAX, 64);
		assert_true(n_hits <= 64 * 4);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),   cmocka_unit_test(each_type_is_found),
		cmocka_unit_test(what_has_no_form), cmocka_unit_test(look_alikes),
		cmocka_unit_test(words_decide),	    cmocka_unit_test(samples),
		cmocka_unit_test(tables),	    cmocka_unit_test(lists),
		cmocka_unit_test(any_end),	    cmocka_unit_test(floods_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
