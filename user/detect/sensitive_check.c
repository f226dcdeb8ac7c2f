/* user/detect/sensitive_check.c - check digits, one function for each arithmetic. Facts from the
 * issuers' specifications and ISO 7064; python-stdnum is the oracle of the tests.
 */
#include "detect/sensitive_check.h"

#include <string.h>

#include "base/own.h"

#define WEIGH(c, ...)                                                                              \
	weigh(c, (const int8_t[]){ __VA_ARGS__ }, sizeof((const int8_t[]){ __VA_ARGS__ }))

static int digit(char c)
{
	return c - '0';
}

/* Base 36: A is 10. */
static int value36(char c)
{
	return c >= 'A' ? c - 'A' + 10 : c - '0';
}

static int weigh(const char *c, const int8_t *weights, size_t n)
{
	int sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += weights[i] * digit(c[i]);
	return sum;
}

/* The n digits from c on as a number. */
static long number(const char *c, size_t n)
{
	long v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 10 + digit(c[i]);
	return v;
}

static int modulo(const char *c, size_t n, int m)
{
	int v = 0;

	for (size_t i = 0; i < n; i++)
		v = (v * 10 + digit(c[i])) % m;
	return v;
}

static bool all_same(const char *c, size_t n)
{
	return !memcmp(c, c + 1, n - 1);
}

static bool in(const char *set, char c)
{
	return c && strchr(set, c);
}

/* Is the pair of characters at c one of the words in list? */
static bool pair_in(const char *list, const char *c)
{
	while (list && *list) {
		if (list[0] == c[0] && list[1] == c[1])
			return true;
		list = strchr(list, ' ');
		if (list)
			list++;
	}
	return false;
}

bool check_date(int y, int m, int d)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100) || y % 400 == 0;

	return m >= 1 && m <= 12 && d >= 1 && d <= days[m - 1] + (m == 2 && leap);
}

/* Two digits each of year (of that century), month and day. */
static bool date6(const char *c, int century)
{
	return check_date(century + (int)number(c, 2), (int)number(c + 2, 2),
			  (int)number(c + 4, 2));
}

/* --- general */

static inline int luhn_sum(const char *c, size_t n, int base)
{
	int sum = 0;

	for (size_t i = 0; i < n; i++) {
		int v = value36(c[n - 1 - i]) * (1 + (int)(i & 1));

		sum += v / base + v % base;
	}
	return sum % base;
}

bool check_luhn(const char *c, size_t n)
{
	return luhn_sum(c, n, 10) == 0;
}

/* The dihedral group of order ten; see Verhoeff 1969. */
bool check_verhoeff(const char *c, size_t n)
{
	static const uint8_t permutation[8][10] = {
		{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, { 1, 5, 7, 6, 2, 8, 3, 0, 9, 4 },
		{ 5, 8, 0, 3, 7, 9, 6, 1, 4, 2 }, { 8, 9, 1, 6, 0, 4, 3, 5, 2, 7 },
		{ 9, 4, 5, 3, 1, 2, 6, 8, 7, 0 }, { 4, 2, 8, 6, 5, 7, 3, 9, 0, 1 },
		{ 2, 7, 9, 3, 8, 0, 6, 4, 1, 5 }, { 7, 0, 4, 6, 9, 1, 3, 2, 5, 8 },
	};
	int v = 0;

	for (size_t i = 0; i < n; i++) {
		int p = permutation[i % 8][digit(c[n - 1 - i])];

		/* The product: rotations are 0..4, reflections 5..9. */
		if (v < 5)
			v = p < 5 ? (v + p) % 5 : 5 + (v + p) % 5;
		else
			v = p < 5 ? 5 + (v - p) % 5 : (v - p + 5) % 5;
	}
	return v == 0;
}

bool check_ean13(const char *c, size_t n)
{
	return n == 13 && WEIGH(c, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1) % 10 == 0;
}

bool check_mod_11_10(const char *c, size_t n)
{
	int v = 5;

	for (size_t i = 0; i < n; i++)
		v = ((v ? v : 10) * 2 % 11 + digit(c[i])) % 10;
	return v == 1;
}

bool check_mod_11_2(const char *c, size_t n)
{
	int v = 0;

	for (size_t i = 0; i < n; i++)
		v = (2 * v + (c[i] == 'X' ? 10 : digit(c[i]))) % 11;
	return v == 1;
}

bool check_mod_97_10(const char *c, size_t n)
{
	int v = 0;

	for (size_t i = 0; i < n; i++)
		v = (v * (c[i] >= 'A' ? 100 : 10) + value36(c[i])) % 97;
	return v == 1;
}

/* --- cards, accounts, devices */

/* What networks issue: first digits, and how long the number may be. */
bool check_payment_card(const char *c, size_t n)
{
	static const struct {
		uint32_t from, to; /* first six digits */
		uint8_t min, max;
	} ranges[] = {
		{ 400000, 499999, 13, 19 }, { 510000, 559999, 16, 16 }, { 222100, 272099, 16, 16 },
		{ 340000, 349999, 15, 15 }, { 370000, 379999, 15, 15 }, { 300000, 305999, 14, 14 },
		{ 360000, 369999, 14, 14 }, { 380000, 399999, 14, 14 }, { 601100, 601199, 16, 19 },
		{ 644000, 659999, 16, 19 }, { 352800, 358999, 16, 19 }, { 620000, 629999, 16, 19 },
		{ 500000, 509999, 12, 19 }, { 560000, 699999, 12, 19 }, { 220000, 220499, 16, 19 },
	};
	/* Numbers of documentation and test systems. */
	static const char *const samples[] = {
		"4111111111111111", "4242424242424242", "5555555555554444", "378282246310005",
		"371449635398431",  "6011111111111117", "6011000990139424", "30569309025904",
		"38520000023237",   "3530111333300000", "3566002020360505", "5105105105105100",
		"4012888888881881", "4222222222222",	"2223003122003222", "4000056655665556",
		"5200828282828210", "2223000048400011", "6011981111111113", "4000000000000002",
		"4532015112830366", "4539578763621486", "5425233430109903", "4916338506082832",
		"4556737586899855", "378734493671000",	"5610591081018250", "4485275742308327",
	};
	long first = number(c, 6);
	bool issued = false;

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		issued |= first >= ranges[i].from && first <= ranges[i].to && n >= ranges[i].min &&
			  n <= ranges[i].max;
	if (!issued || !check_luhn(c, n) || all_same(c + 1, n - 1) || strstr(c, "00000000"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (!strcmp(c, samples[i]))
			return false;
	return true;
}

/* What must follow country and check digits, run by run: n digits, a letters, c either. From the
 * IBAN registry; countries outside of it are taken when their length is. */
static const struct {
	char country[3];
	const char *account;
} ibans[] = {
	{ "AD", "8n12c" },    { "AE", "19n" },	   { "AL", "8n16c" },	 { "AT", "16n" },
	{ "AZ", "4a20c" },    { "BA", "16n" },	   { "BE", "12n" },	 { "BG", "4a6n8c" },
	{ "BH", "4a14c" },    { "BI", "23n" },	   { "BR", "23n1a1c" },	 { "BY", "4c4n16c" },
	{ "CH", "5n12c" },    { "CR", "18n" },	   { "CY", "8n16c" },	 { "CZ", "20n" },
	{ "DE", "18n" },      { "DJ", "23n" },	   { "DK", "14n" },	 { "DO", "4c20n" },
	{ "EE", "16n" },      { "EG", "25n" },	   { "ES", "20n" },	 { "FI", "14n" },
	{ "FK", "2a12n" },    { "FO", "14n" },	   { "FR", "10n11c2n" }, { "GB", "4a14n" },
	{ "GE", "2a16n" },    { "GI", "4a15c" },   { "GL", "14n" },	 { "GR", "7n16c" },
	{ "GT", "24c" },      { "HR", "17n" },	   { "HU", "24n" },	 { "IE", "4a14n" },
	{ "IL", "19n" },      { "IQ", "4a15n" },   { "IS", "22n" },	 { "IT", "1a10n12c" },
	{ "JO", "4a4n18c" },  { "KW", "4a22c" },   { "KZ", "3n13c" },	 { "LB", "4n20c" },
	{ "LC", "4a24c" },    { "LI", "5n12c" },   { "LT", "16n" },	 { "LU", "3n13c" },
	{ "LV", "4a13c" },    { "LY", "21n" },	   { "MC", "10n11c2n" }, { "MD", "20c" },
	{ "ME", "18n" },      { "MK", "3n10c2n" }, { "MN", "16n" },	 { "MR", "23n" },
	{ "MT", "4a5n18c" },  { "MU", "4a19n3a" }, { "NI", "4a20n" },	 { "NL", "4a10n" },
	{ "NO", "11n" },      { "OM", "3n16c" },   { "PK", "4a16c" },	 { "PL", "24n" },
	{ "PS", "4a21c" },    { "PT", "21n" },	   { "QA", "4a21c" },	 { "RO", "4a16c" },
	{ "RS", "18n" },      { "RU", "14n15c" },  { "SA", "2n18c" },	 { "SC", "4a20n3a" },
	{ "SD", "14n" },      { "SE", "20n" },	   { "SI", "15n" },	 { "SK", "20n" },
	{ "SM", "1a10n12c" }, { "SO", "19n" },	   { "ST", "21n" },	 { "SV", "4a20n" },
	{ "TL", "19n" },      { "TN", "20n" },	   { "TR", "6n16c" },	 { "UA", "6n19c" },
	{ "VA", "18n" },      { "VG", "4a16n" },   { "XK", "16n" },	 { "YE", "4a4n18c" },
};

static bool iban_account(const char *account, const char *c)
{
	while (*account) {
		char *kind;
		long n = strtol(account, &kind, 10);

		for (; n; n--, c++) {
			bool letter = *c >= 'A' && *c <= 'Z', number = *c >= '0' && *c <= '9';

			if (!(letter && *kind != 'n') && !(number && *kind != 'a'))
				return false;
		}
		account = kind + 1;
	}
	return !*c;
}

bool check_iban(const char *c, size_t n)
{
	char turned[40];

	if (n < 15 || n > 34)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ibans); i++)
		if (!memcmp(ibans[i].country, c, 2)) {
			memcpy(turned, c + 4, n - 4);
			memcpy(turned + n - 4, c, 4);
			return check_mod_97_10(turned, n) && iban_account(ibans[i].account, c + 4);
		}
	return false;
}

/* ISO 3166, and what securities and banks use besides. */
static const char countries[] =
    "AD AE AF AG AI AL AM AN AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ "
    "BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CS CU CV CW CX CY CZ DE DJ DK DM "
    "DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT "
    "GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR "
    "KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT "
    "MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT "
    "PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD "
    "TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT "
    "ZA ZM ZW EU QS QT XA XB XC XD XF XK XS";

bool check_bic(const char *c, size_t n)
{
	return (n == 8 || n == 11) && pair_in(countries, c + 4) && !pair_in("EU QS QT", c + 4);
}

bool check_lei(const char *c, size_t n)
{
	return check_mod_97_10(c, n) && !all_same(c, n);
}

/* Luhn over the letters spelled out in decimal. */
bool check_isin(const char *c, size_t n)
{
	char spelled[32];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int v = value36(c[i]);

		if (v > 9)
			spelled[len++] = (char)('0' + v / 10);
		spelled[len++] = (char)('0' + v % 10);
	}
	return pair_in(countries, c) && check_luhn(spelled, len);
}

/* The first digit names the region of the network. */
bool check_imsi(const char *c, size_t n)
{
	(void)n;
	return c[0] >= '2' && c[0] != '8';
}

bool check_iccid(const char *c, size_t n)
{
	return c[0] == '8' && c[1] == '9' && check_luhn(c, n);
}

/* 49 CFR 565: letters as their place in rows of nine; North America only puts it in. */
bool check_vin(const char *c, size_t n)
{
	static const int8_t weights[] = { 8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2 };
	static const char values[] = "12345678012345070923456789"; /* of A to Z; I, O, Q: none */
	int sum = 0, letters = 0;

	if (n != 17 || strpbrk(c, "IOQ"))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool letter = c[i] >= 'A';

		letters += letter;
		sum += weights[i] * digit(letter ? values[c[i] - 'A'] : c[i]);
	}
	sum %= 11;
	return letters >= 2 && letters <= 14 && c[8] == (sum == 10 ? 'X' : '0' + sum);
}

/* --- North America */

bool check_us_ssn(const char *c, size_t n)
{
	static const char *const samples[] = { "078051120", "457555462", "219099999", "123456789",
					       "111223333", "123121234", "111111111" };

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (!strncmp(c, samples[i], n))
			return false;
	return memcmp(c, "000", 3) && memcmp(c, "666", 3) && c[0] != '9' &&
	       memcmp(c + 3, "00", 2) && memcmp(c + 5, "0000", 4) && !all_same(c, n);
}

bool check_us_itin(const char *c, size_t n)
{
	long group = number(c + 3, 2);

	(void)n;
	return c[0] == '9' && ((group >= 50 && group <= 65) || (group >= 70 && group <= 88) ||
			       (group >= 90 && group <= 92) || group >= 94);
}

/* Prefixes that were never given out. */
bool check_us_ein(const char *c, size_t n)
{
	(void)n;
	return !pair_in("00 07 08 09 17 18 19 28 29 49 69 70 78 79 89 96 97", c);
}

bool check_us_aba(const char *c, size_t n)
{
	return !all_same(c, n) && WEIGH(c, 3, 7, 1, 3, 7, 1, 3, 7, 1) % 10 == 0;
}

bool check_us_npi(const char *c, size_t n)
{
	char whole[16] = "80840";

	memcpy(whole + 5, c, n);
	return (c[0] == '1' || c[0] == '2') && check_luhn(whole, n + 5);
}

bool check_us_dea(const char *c, size_t n)
{
	(void)n;
	return in("ABCDEFGHJKLMPRSTUX", c[0]) && (c[1] == '9' || c[1] >= 'A') &&
	       (WEIGH(c + 2, 1, 2, 1, 2, 1, 2) - digit(c[8])) % 10 == 0;
}

bool check_us_mbi(const char *c, size_t n)
{
	static const char letters[] = "ACDEFGHJKMNPQRTUVWXY";

	(void)n;
	/* CMS: C A AN N A AN N A A N N */
	return c[0] != '0' && in(letters, c[1]) && !in("BILOSZ", c[2]) && in(letters, c[4]) &&
	       !in("BILOSZ", c[5]) && in(letters, c[7]) && in(letters, c[8]);
}

bool check_nanp(const char *c, size_t n)
{
	(void)n;
	/* Neither begins with 0 or 1 nor ends in 11; 555-01xx is for fiction. */
	return c[0] >= '2' && c[3] >= '2' && memcmp(c + 1, "11", 2) && memcmp(c + 4, "11", 2) &&
	       memcmp(c + 3, "55501", 5) && !all_same(c, 10);
}

bool check_ca_sin(const char *c, size_t n)
{
	return c[0] != '0' && c[0] != '8' && check_luhn(c, n) && !all_same(c, n);
}

bool check_ca_bn(const char *c, size_t n)
{
	return check_luhn(c, 9) && !all_same(c, 9) && (n == 9 || pair_in("RC RM RP RT", c + 9));
}

bool check_ca_phn_bc(const char *c, size_t n)
{
	int v = WEIGH(c + 1, 2, 4, 8, 5, 10, 9, 7, 3) % 11;

	(void)n;
	return c[0] == '9' && digit(c[9]) == (11 - v) % 11;
}

static bool mx_check(const char *c, size_t n)
{
	static const char values[] = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ";
	int sum = 0;

	for (size_t i = 0; i + 1 < n; i++)
		sum += (int)(strchr(values, c[i]) - values) * (int)(n - i);
	return digit(c[n - 1]) == (10 - sum % 10) % 10;
}

bool check_mx_curp(const char *c, size_t n)
{
	static const char states[] =
	    "AS BC BS CC CH CL CM CS DF DG GR GT HG JC MC MN MS NE NL NT OC PL QR QT SL SP SR TC "
	    "TL TS VZ YN ZS";

	/* The seventeenth character tells the century. */
	return in("HM", c[10]) && pair_in(states, c + 11) &&
	       date6(c + 4, c[16] >= 'A' ? 2000 : 1900) && mx_check(c, n);
}

/* The check character is optional in practice: the date must do. */
bool check_mx_rfc(const char *c, size_t n)
{
	return date6(c + n - 9, 2000);
}

bool check_mx_clabe(const char *c, size_t n)
{
	int sum = 0;

	for (size_t i = 0; i + 1 < n; i++)
		sum += digit(c[i]) * digit("371"[i % 3]) % 10;
	return !all_same(c, n) && digit(c[n - 1]) == (10 - sum % 10) % 10;
}

/* --- South America */

bool check_br_cpf(const char *c, size_t n)
{
	int a = WEIGH(c, 10, 9, 8, 7, 6, 5, 4, 3, 2) % 11;
	int b = WEIGH(c, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2) % 11;

	return !all_same(c, n) && digit(c[9]) == (a < 2 ? 0 : 11 - a) &&
	       digit(c[10]) == (b < 2 ? 0 : 11 - b);
}

bool check_br_cnpj(const char *c, size_t n)
{
	int a = WEIGH(c, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2) % 11;
	int b = WEIGH(c, 6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2) % 11;

	return !all_same(c, n) && digit(c[12]) == (a < 2 ? 0 : 11 - a) &&
	       digit(c[13]) == (b < 2 ? 0 : 11 - b);
}

bool check_br_cns(const char *c, size_t n)
{
	int sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += digit(c[i]) * (15 - (int)i);
	return in("12789", c[0]) && sum % 11 == 0;
}

bool check_ar_cuit(const char *c, size_t n)
{
	int v = WEIGH(c, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11;

	(void)n;
	return pair_in("20 23 24 27 30 33 34 50 51 55", c) && c[10] == "09987654321"[v];
}

bool check_ar_cbu(const char *c, size_t n)
{
	(void)n;
	return !all_same(c, n) && (WEIGH(c, 7, 1, 3, 9, 7, 1, 3) + digit(c[7])) % 10 == 0 &&
	       (WEIGH(c + 8, 3, 9, 7, 1, 3, 9, 7, 1, 3, 9, 7, 1, 3) + digit(c[21])) % 10 == 0;
}

bool check_cl_rut(const char *c, size_t n)
{
	int sum = 0;

	for (size_t i = 0; i + 1 < n; i++)
		sum += digit(c[n - 2 - i]) * (2 + (int)i % 6);
	return c[n - 1] == "0K987654321"[sum % 11] && !all_same(c, n - 1);
}

bool check_co_nit(const char *c, size_t n)
{
	static const int8_t weights[] = { 3, 7, 13, 17, 19, 23, 29, 37, 41, 43 };
	int sum = 0;

	for (size_t i = 0; i + 1 < n && i < ARRAY_SIZE(weights); i++)
		sum += weights[i] * digit(c[n - 2 - i]);
	return c[n - 1] == "01987654321"[sum % 11];
}

bool check_pe_ruc(const char *c, size_t n)
{
	(void)n;
	return pair_in("10 15 17 20", c) &&
	       digit(c[10]) == (11 - WEIGH(c, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11) % 10;
}

bool check_ec_ci(const char *c, size_t n)
{
	long province = number(c, 2);

	return ((province >= 1 && province <= 24) || province == 30 || province == 50) &&
	       c[2] <= '6' && check_luhn(c, n);
}

bool check_uy_rut(const char *c, size_t n)
{
	int v = (11 - WEIGH(c, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2) % 11) % 11;

	(void)n;
	return number(c, 2) >= 1 && number(c, 2) <= 21 && number(c + 2, 6) &&
	       number(c + 8, 3) == 1 && digit(c[11]) == v;
}

bool check_ve_rif(const char *c, size_t n)
{
	static const char kinds[] = "VEJPG";
	const char *kind = strchr(kinds, c[0]);

	(void)n;
	return kind && c[9] == "00987654321"[(4 * (int)(kind - kinds + 1) +
					      WEIGH(c + 1, 3, 2, 7, 6, 5, 4, 3, 2)) %
					     11];
}

/* --- British Isles */

bool check_gb_nino(const char *c, size_t n)
{
	(void)n;
	return !in("DFIQUV", c[0]) && !in("DFIOQUV", c[1]) && !pair_in("BG GB KN NK NT TN ZZ", c) &&
	       c[8] <= 'D' && memcmp(c + 2, "123456", 6);
}

bool check_gb_nhs(const char *c, size_t n)
{
	return !all_same(c, n) && WEIGH(c, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1) % 11 == 0;
}

bool check_gb_utr(const char *c, size_t n)
{
	(void)n;
	return c[0] == "21987654321"[WEIGH(c + 1, 6, 7, 8, 9, 10, 5, 4, 3, 2) % 11];
}

static bool number_at(const char *c, size_t at, size_t n)
{
	return strspn(c + at, "0123456789") >= n;
}

/* Surname padded with 9, decade, month (+50 for women), day, year. */
bool check_gb_driving(const char *c, size_t n)
{
	long month = (number(c + 6, 2)) % 50, day = number(c + 8, 2);

	(void)n;
	return c[0] >= 'A' && month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
	       strspn(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ9") >= 5 && number_at(c, 5, 6);
}

bool check_ie_pps(const char *c, size_t n)
{
	static const char letters[] = "WABCDEFGHIJKLMNOPQRSTUV";
	int sum = WEIGH(c, 8, 7, 6, 5, 4, 3, 2);

	if (n == 9 && !in("AHWTX", c[8]))
		return false;
	if (n == 9 && in("AH", c[8]))
		sum += 9 * (c[8] - 'A' + 1);
	return c[7] == letters[sum % 23];
}

/* --- Western Europe */

bool check_fr_nir(const char *c, size_t n)
{
	char d[16];
	long month = number(c + 3, 2);

	memcpy(d, c, n);
	/* Corsica */
	if (c[6] >= 'A') {
		if (c[5] != '2' || c[6] > 'B')
			return false;
		memcpy(d + 5, c[6] == 'A' ? "19" : "18", 2);
	}
	return in("123478", c[0]) && (month <= 12 || month >= 20) &&
	       97 - modulo(d, 13, 97) == number(d + 13, 2);
}

bool check_fr_siren(const char *c, size_t n)
{
	return !all_same(c, n) && check_luhn(c, 9) && (n == 9 || check_luhn(c, n));
}

bool check_fr_nif(const char *c, size_t n)
{
	(void)n;
	return c[0] <= '3' && number(c, 10) % 511 == number(c + 10, 3);
}

bool check_de_idnr(const char *c, size_t n)
{
	unsigned count[10] = { 0 }, often = 0, most = 0;

	for (size_t i = 0; i < 10; i++)
		count[digit(c[i])]++;
	for (size_t i = 0; i < 10; i++) {
		often += count[i] > 1;
		most = MAX(most, count[i]);
	}
	return c[0] != '0' && often == 1 && most <= 3 && check_mod_11_10(c, n);
}

/* Digits of the weighted values, added; the letter counts as two digits. */
static int de_digit_sum(const char *c, size_t n, const char *weights)
{
	int sum = 0;
	size_t w = 0;

	for (size_t i = 0; i < n; i++) {
		int v = value36(c[i]);

		if (v > 9) {
			int tens = (v - 9) / 10 * digit(weights[w]);

			sum += tens / 10 + tens % 10;
			w++;
			v = (v - 9) % 10;
		}
		v *= digit(weights[w++]);
		sum += v / 10 + v % 10;
	}
	return sum % 10;
}

bool check_de_rvnr(const char *c, size_t n)
{
	long day = number(c + 2, 2), month = number(c + 4, 2);

	(void)n;
	return day >= 1 && day <= 31 && month >= 1 && month <= 12 &&
	       de_digit_sum(c, 11, "212571212121") == digit(c[11]);
}

/* ICAO 9303, part 3: weights 7 3 1. */
static int icao_sum(const char *c, size_t n)
{
	int sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (c[i] == '<' ? 0 : value36(c[i])) * digit("731"[i % 3]);
	return sum % 10;
}

/* Identity cards and passports since 2010 have no vowels; the check digit is not always written. */
bool check_de_icao(const char *c, size_t n)
{
	if (!in("CFGHJKLMNPRTVWXYZ", c[0]) || strpbrk(c, "ABDEIOQSU") || n < 9)
		return false;
	return n == 9 || icao_sum(c, 9) == digit(c[9]);
}

bool check_de_kvnr(const char *c, size_t n)
{
	(void)n;
	return de_digit_sum(c, 9, "1212121212") == digit(c[9]);
}

bool check_at_svnr(const char *c, size_t n)
{
	(void)n;
	return c[0] != '0' && WEIGH(c, 3, 7, 9, 0, 5, 8, 4, 2, 1, 6) % 11 == digit(c[3]);
}

bool check_ch_ahv(const char *c, size_t n)
{
	return !memcmp(c, "756", 3) && check_ean13(c, n);
}

bool check_nl_bsn(const char *c, size_t n)
{
	return !all_same(c, n) && WEIGH(c, 9, 8, 7, 6, 5, 4, 3, 2, -1) % 11 == 0;
}

/* Born in this century: a 2 stands before. */
bool check_be_nn(const char *c, size_t n)
{
	long v = number(c, 9), check = number(c + 9, 2);

	(void)n;
	return v && (97 - v % 97 == check || 97 - (2000000000 + v) % 97 == check);
}

/* Luhn and Verhoeff over the same eleven digits. */
bool check_lu_nin(const char *c, size_t n)
{
	char d[13];

	(void)n;
	memcpy(d, c, 11);
	d[11] = c[12];
	return (c[0] == '1' || c[0] == '2') &&
	       check_date((int)number(c, 4), (int)number(c + 4, 2), (int)number(c + 6, 2)) &&
	       check_luhn(c, 12) && check_verhoeff(d, 12);
}

static bool es_letter(long v, char c)
{
	return c == "TRWAGMYFPDXBNJZSQVHLCKE"[v % 23];
}

bool check_es_dni(const char *c, size_t n)
{
	return es_letter(number(c, n - 1), c[n - 1]) && number(c, n - 1);
}

bool check_es_nie(const char *c, size_t n)
{
	(void)n;
	return in("XYZ", c[0]) && es_letter((c[0] - 'X') * 10000000L + number(c + 1, 7), c[8]);
}

bool check_es_cif(const char *c, size_t n)
{
	int check = 0;

	(void)n;
	while (check < 9 && luhn_sum((const char[]){ c[1], c[2], c[3], c[4], c[5], c[6], c[7],
						     (char)('0' + check) },
				     8, 10))
		check++;
	return in("ABCDEFGHJNPQRSUVW", c[0]) &&
	       (c[8] == '0' + check || c[8] == "JABCDEFGHI"[check]);
}

static int es_account(const char *c)
{
	int v = WEIGH(c, 1, 2, 4, 8, 5, 10, 9, 7, 3, 6) % 11;

	return v < 2 ? v : 11 - v;
}

bool check_es_ccc(const char *c, size_t n)
{
	char bank[11] = "00";

	memcpy(bank + 2, c, 8);
	return !all_same(c, n) && es_account(bank) == digit(c[8]) &&
	       es_account(c + 10) == digit(c[9]);
}

bool check_pt_nif(const char *c, size_t n)
{
	int v = WEIGH(c, 9, 8, 7, 6, 5, 4, 3, 2) % 11;

	return c[0] != '0' && !all_same(c, n) && digit(c[8]) == (v < 2 ? 0 : 11 - v);
}

bool check_pt_cc(const char *c, size_t n)
{
	int sum = 0;

	for (size_t i = 0; i < n; i++) {
		int v = value36(c[n - 1 - i]) * (1 + (int)(i & 1));

		sum += (i & 1) && v > 9 ? v - 9 : v;
	}
	return sum % 10 == 0;
}

bool check_it_cf(const char *c, size_t n)
{
	static const uint8_t odd[] = { 1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,	4,  18,
				       20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23 };
	static const char digits[] = "0123456789LMNPQRSTUV", months[] = "ABCDEHLMPRST";
	static const uint8_t at[] = { 6, 7, 9, 10, 12, 13, 14 };
	int sum = 0, day;

	for (size_t i = 0; i + 1 < n; i++) {
		int v = c[i] >= 'A' ? c[i] - 'A' : c[i] - '0';

		sum += i % 2 ? v : odd[v];
	}
	if (c[n - 1] != 'A' + sum % 26 || !in(months, c[8]))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		if (!in(digits, c[at[i]]))
			return false;
			/* Letters may stand for digits, where two people had the same code. */
#define IT_DIGIT(i) ((int)(strchr(digits, c[i]) - digits) % 10)
	day = (IT_DIGIT(9) * 10 + IT_DIGIT(10)) % 40;
	return check_date(1900 + IT_DIGIT(6) * 10 + IT_DIGIT(7),
			  (int)(strchr(months, c[8]) - months) + 1, day) ||
	       check_date(2000 + IT_DIGIT(6) * 10 + IT_DIGIT(7),
			  (int)(strchr(months, c[8]) - months) + 1, day);
#undef IT_DIGIT
}

bool check_it_piva(const char *c, size_t n)
{
	long office = number(c + 7, 3);

	return number(c, 7) &&
	       ((office >= 1 && office <= 100) || office == 120 || office == 121 || office == 888 ||
		office == 999) &&
	       check_luhn(c, n);
}

bool check_gr_amka(const char *c, size_t n)
{
	int d = (int)number(c, 2), m = (int)number(c + 2, 2), y = (int)number(c + 4, 2);

	return (check_date(1900 + y, m, d) || check_date(2000 + y, m, d)) && check_luhn(c, n);
}

bool check_gr_afm(const char *c, size_t n)
{
	int sum = 0;

	for (size_t i = 0; i < 8; i++)
		sum = sum * 2 + digit(c[i]);
	return !all_same(c, n) && digit(c[8]) == sum * 2 % 11 % 10;
}

/* --- Northern Europe */

/* Ten digits, or twelve with the century. Days from 61 on are those of coordination numbers. */
bool check_se_personnummer(const char *c, size_t n)
{
	const char *d = c + n - 10;
	int day = (int)number(d + 4, 2), y = (int)number(d, 2), m = (int)number(d + 2, 2);

	if (n == 12 && memcmp(c, "19", 2) && memcmp(c, "20", 2) && memcmp(c, "18", 2))
		return false;
	day -= day > 60 ? 60 : 0;
	return (n == 12 ? check_date((int)number(c, 4), m, day) : check_date(2000 + y, m, day)) &&
	       check_luhn(d, 10);
}

bool check_no_fnr(const char *c, size_t n)
{
	int day = (int)number(c, 2), m = (int)number(c + 2, 2), y = (int)number(c + 4, 2);

	(void)n;
	day -= day > 40 ? 40 : 0;
	m -= m > 40 ? 40 : 0;
	return (check_date(1900 + y, m, day) || check_date(2000 + y, m, day)) &&
	       WEIGH(c, 3, 7, 6, 1, 8, 9, 4, 5, 2, 1) % 11 == 0 &&
	       WEIGH(c, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1) % 11 == 0;
}

bool check_no_kontonr(const char *c, size_t n)
{
	return !all_same(c, n) && WEIGH(c, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1) % 11 == 0;
}

/* Since 2007 numbers are given out that fail the old sum: the date must do. */
bool check_dk_cpr(const char *c, size_t n)
{
	int d = (int)number(c, 2), m = (int)number(c + 2, 2), y = (int)number(c + 4, 2);

	(void)n;
	if (in("5678", c[6]) && y >= 58)
		y += 1800;
	else if (in("0123", c[6]) || (in("49", c[6]) && y >= 37))
		y += 1900;
	else
		y += 2000;
	return check_date(y, m, d);
}

/* The sign of the century has its place between date and number. */
bool check_fi_hetu(const char *c, size_t n)
{
	int d = (int)number(c, 2), m = (int)number(c + 2, 2), y = (int)number(c + 4, 2);
	const char *rest = c + n - 4;
	long id = number(rest, 3);

	return (check_date(1900 + y, m, d) || check_date(2000 + y, m, d)) && id >= 2 &&
	       (n == 10 || in("ABCDEFUVWXY", c[6])) &&
	       c[n - 1] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[(number(c, 6) * 1000 + id) % 31];
}

bool check_is_kt(const char *c, size_t n)
{
	int d = (int)number(c, 2), y = (int)number(c + 4, 2);

	(void)n;
	d -= d > 40 ? 40 : 0;
	return (c[9] == '9' || c[9] == '0') &&
	       check_date((c[9] == '9' ? 1900 : 2000) + y, (int)number(c + 2, 2), d) &&
	       WEIGH(c, 3, 2, 7, 6, 5, 4, 3, 2, 1) % 11 == 0;
}

/* Two rounds of weights; ten in both gives 0. */
static int two_rounds(const char *c, const int8_t *first, const int8_t *second, size_t n)
{
	int v = weigh(c, first, n) % 11;

	return v < 10 ? v : weigh(c, second, n) % 11 % 10;
}

bool check_ee_ik(const char *c, size_t n)
{
	static const int8_t first[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 1 },
			    second[] = { 3, 4, 5, 6, 7, 8, 9, 1, 2, 3 };

	(void)n;
	return c[0] >= '1' && c[0] <= '8' && date6(c + 1, 1700 + (c[0] - '0' + 1) / 2 * 100) &&
	       two_rounds(c, first, second, 10) == digit(c[10]);
}

/* The new form begins with 32 and has no date; the old one ends in a check digit. */
bool check_lv_pk(const char *c, size_t n)
{
	int d = (int)number(c, 2), m = (int)number(c + 2, 2);

	(void)n;
	if (d >= 32 && d <= 39)
		return true;
	return d <= 31 && in("012", c[6]) &&
	       check_date(1800 + 100 * digit(c[6]) + (int)number(c + 4, 2), m, d) &&
	       (1 + WEIGH(c, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9)) % 11 % 10 == digit(c[10]);
}

/* --- Eastern Europe */

/* The month holds the century. */
bool check_pl_pesel(const char *c, size_t n)
{
	static const int centuries[] = { 1900, 2000, 2100, 2200, 1800 };
	int m = (int)number(c + 2, 2);

	(void)n;
	return check_date(centuries[m / 20] + (int)number(c, 2), m % 20, (int)number(c + 4, 2)) &&
	       WEIGH(c, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1) % 10 == 0;
}

bool check_pl_nip(const char *c, size_t n)
{
	return !all_same(c, n) && WEIGH(c, 6, 5, 7, 2, 3, 4, 5, 6, 7, -1) % 11 == 0;
}

/* Women's months have 50 added, 20 where a day had more births than numbers. */
bool check_cz_rc(const char *c, size_t n)
{
	int y = 1900 + (int)number(c, 2), m = (int)number(c + 2, 2) % 50 % 20;
	int d = (int)number(c + 4, 2), check;

	if (n == 9)
		return (y < 1954 || y >= 1980) && check_date(y - (y >= 1980 ? 100 : 0), m, d);
	y += y < 1954 ? 100 : 0;
	check = modulo(c, 9, 11);
	if (y < 1985)
		check %= 10;
	return check_date(y, m, d) && digit(c[9]) == check;
}

bool check_hu_taj(const char *c, size_t n)
{
	return !all_same(c, n) && WEIGH(c, 3, 7, 3, 7, 3, 7, 3, 7) % 10 == digit(c[8]);
}

bool check_hu_tax(const char *c, size_t n)
{
	(void)n;
	return c[0] == '8' && WEIGH(c, 1, 2, 3, 4, 5, 6, 7, 8, 9) % 11 == digit(c[9]);
}

bool check_ro_cnp(const char *c, size_t n)
{
	static const int centuries[] = {
		1900, 1900, 1900, 1800, 1800, 2000, 2000, 1900, 1900, 1900
	};
	int v = WEIGH(c, 2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9) % 11;

	(void)n;
	return c[0] != '0' && date6(c + 1, centuries[digit(c[0])]) &&
	       digit(c[12]) == (v == 10 ? 1 : v);
}

bool check_bg_egn(const char *c, size_t n)
{
	int y = 1900 + (int)number(c, 2), m = (int)number(c + 2, 2);

	(void)n;
	if (m > 40) {
		y += 100;
		m -= 40;
	} else if (m > 20) {
		y -= 100;
		m -= 20;
	}
	return check_date(y, m, (int)number(c + 4, 2)) &&
	       WEIGH(c, 2, 4, 8, 5, 10, 9, 7, 3, 6) % 11 % 10 == digit(c[9]);
}

bool check_si_emso(const char *c, size_t n)
{
	int y = (int)number(c + 4, 3);
	int v = WEIGH(c, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11;

	(void)n;
	return check_date(y + (y < 800 ? 2000 : 1000), (int)number(c + 2, 2), (int)number(c, 2)) &&
	       digit(c[12]) == (11 - v) % 11 % 10;
}

bool check_ua_rntrc(const char *c, size_t n)
{
	int v = WEIGH(c, -1, 5, 7, 9, 4, 6, 10, 5, 7) % 11;

	return !all_same(c, n) && digit(c[9]) == (v + 11) % 11 % 10;
}

bool check_ru_inn(const char *c, size_t n)
{
	if (all_same(c, n))
		return false;
	if (n == 10)
		return WEIGH(c, 2, 4, 10, 3, 5, 9, 4, 6, 8) % 11 % 10 == digit(c[9]);
	return WEIGH(c, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8) % 11 % 10 == digit(c[10]) &&
	       WEIGH(c, 3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8) % 11 % 10 == digit(c[11]);
}

bool check_ru_snils(const char *c, size_t n)
{
	(void)n;
	return number(c, 9) > 1001998 &&
	       WEIGH(c, 9, 8, 7, 6, 5, 4, 3, 2, 1) % 101 % 100 == number(c + 9, 2);
}

bool check_kz_iin(const char *c, size_t n)
{
	static const int8_t first[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 },
			    second[] = { 3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2 };
	int v = weigh(c, first, 11) % 11;

	(void)n;
	if (v == 10)
		v = weigh(c, second, 11) % 11;
	return c[6] >= '1' && c[6] <= '6' &&
	       date6(c, c[6] < '3'   ? 1800
			: c[6] < '5' ? 1900
				     : 2000) &&
	       v == digit(c[11]);
}

/* --- Middle East, Africa */

bool check_tr_tckn(const char *c, size_t n)
{
	int odd = WEIGH(c, 1, 0, 1, 0, 1, 0, 1, 0, 1), even = WEIGH(c, 0, 1, 0, 1, 0, 1, 0, 1);
	int tenth = (7 * odd - even) % 10;

	(void)n;
	return c[0] != '0' && digit(c[9]) == (tenth + 10) % 10 &&
	       digit(c[10]) == (odd + even + digit(c[9])) % 10;
}

bool check_il_id(const char *c, size_t n)
{
	return number(c, n) && !all_same(c, n) && check_luhn(c, n);
}

bool check_ae_eid(const char *c, size_t n)
{
	return !memcmp(c, "784", 3) && check_luhn(c, n);
}

bool check_eg_nid(const char *c, size_t n)
{
	long where = number(c + 7, 2);

	(void)n;
	return (c[0] == '2' || c[0] == '3') && date6(c + 1, c[0] == '2' ? 1900 : 2000) &&
	       ((where >= 1 && where <= 35) || where == 88);
}

/* Citizen, permanent resident, refugee. */
bool check_za_id(const char *c, size_t n)
{
	return date6(c, 2000) && c[10] <= '2' && check_luhn(c, n);
}

bool check_ke_pin(const char *c, size_t n)
{
	(void)n;
	return c[0] == 'A' || c[0] == 'P';
}

/* --- South Asia */

bool check_in_aadhaar(const char *c, size_t n)
{
	bool palindrome = true;

	for (size_t i = 0; i < n / 2; i++)
		palindrome &= c[i] == c[n - 1 - i];
	return c[0] >= '2' && !palindrome && check_verhoeff(c, n);
}

bool check_in_pan(const char *c, size_t n)
{
	(void)n;
	return in("ABCFGHJKLPT", c[3]) && memcmp(c + 5, "0000", 4);
}

bool check_in_gstin(const char *c, size_t n)
{
	long state = number(c, 2);

	return state >= 1 && state <= 38 && c[12] != '0' && c[13] == 'Z' &&
	       check_in_pan(c + 2, 10) && luhn_sum(c, n, 36) == 0;
}

bool check_in_voter(const char *c, size_t n)
{
	return check_luhn(c + 3, n - 3);
}

bool check_pk_cnic(const char *c, size_t n)
{
	return c[0] >= '1' && c[0] <= '7' && c[n - 1] != '0';
}

/* --- East Asia */

bool check_cn_ric(const char *c, size_t n)
{
	static const char provinces[] =
	    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 "
	    "46 50 51 52 53 54 61 62 63 64 65 71 81 82 83";

	return strspn(c, "0123456789") >= n - 1 && pair_in(provinces, c) &&
	       number(c + 6, 4) >= 1900 && number(c + 6, 4) < 2100 &&
	       check_date((int)number(c + 6, 4), (int)number(c + 10, 2), (int)number(c + 12, 2)) &&
	       check_mod_11_2(c, n);
}

bool check_cn_mobile(const char *c, size_t n)
{
	return c[0] == '1' && c[1] >= '3' && !all_same(c + 2, n - 2);
}

bool check_cn_uscc(const char *c, size_t n)
{
	static const char values[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
	int sum = 0, weight = 1;

	for (size_t i = 0; i < n; i++, weight = weight * 3 % 31) {
		const char *v = strchr(values, c[i]);

		if (!v || (i < 8 && i > 1 && c[i] > '9'))
			return false;
		sum += (int)(v - values) * (i + 1 < n ? weight : 1);
	}
	return sum % 31 == 0;
}

bool check_hk_hkid(const char *c, size_t n)
{
	int sum = n == 8 ? 9 * 36 : 9 * value36(c[0]);

	c += n - 8;
	sum += 8 * value36(c[0]) + WEIGH(c + 1, 7, 6, 5, 4, 3, 2);
	return (c[7] <= '9' || c[7] == 'A') && (sum + value36(c[7])) % 11 == 0;
}

bool check_tw_id(const char *c, size_t n)
{
	static const char order[] = "ABCDEFGHJKLMNPQRSTUVXYWZIO"; /* 10 and on */
	int v = 10 + (int)(strchr(order, c[0]) - order);

	(void)n;
	return in("1289", c[1]) &&
	       (v / 10 + v % 10 * 9 + WEIGH(c + 1, 8, 7, 6, 5, 4, 3, 2, 1, 1)) % 10 == 0;
}

bool check_jp_mynumber(const char *c, size_t n)
{
	int v = WEIGH(c, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11;

	return !all_same(c, n) && digit(c[11]) == (v < 2 ? 0 : 11 - v);
}

bool check_jp_driver(const char *c, size_t n)
{
	int v = WEIGH(c, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11;

	return !all_same(c, n) && digit(c[10]) == (v < 2 ? 0 : 11 - v);
}

/* Numbers given out since October 2020 have no check digit: the date must do. */
bool check_kr_rrn(const char *c, size_t n)
{
	static const int centuries[] = {
		1800, 1900, 1900, 2000, 2000, 1900, 1900, 2000, 2000, 1800
	};

	(void)n;
	/* 9 and 0 are of people born before 1900. */
	return c[6] >= '1' && c[6] <= '8' && date6(c, centuries[digit(c[6])]) &&
	       number(c + 7, 2) <= 96;
}

/* District, kind of firm, serial: the sum over them is not kept to. */
bool check_kr_brn(const char *c, size_t n)
{
	(void)n;
	return number(c, 3) >= 101 && memcmp(c + 3, "00", 2) && memcmp(c + 5, "0000", 4);
}

bool check_sg_nric(const char *c, size_t n)
{
	int sum = WEIGH(c + 1, 2, 7, 6, 5, 4, 3, 2);
	const char *letters = in("ST", c[0]) ? "JZIHGFEDCBA"
			      : c[0] == 'M'  ? "KLJNPQRTUWX"
					     : "XWUTRQPNMLK";

	(void)n;
	if (c[0] == 'M')
		return c[8] == letters[10 - (sum + 3) % 11];
	sum += in("TG", c[0]) ? 4 : 0;
	return in("STFG", c[0]) && c[8] == letters[sum % 11];
}

bool check_sg_uen(const char *c, size_t n)
{
	static const char values[] = "ABCDEFGHJKLMNPQRSTUVWX0123456789";
	static const int8_t weights[] = { 4, 3, 5, 3, 10, 2, 2, 5, 7 };
	int sum = 0;

	if (n == 9)
		return c[8] == "XMKECAWLJDB"[WEIGH(c, 10, 4, 9, 3, 8, 2, 7, 1) % 11];
	if (c[0] <= '9')
		return number(c, 4) >= 1800 && number(c, 4) < 2100 &&
		       c[9] == "ZKCMDNERGWH"[WEIGH(c, 10, 8, 6, 4, 9, 7, 5, 3, 1) % 11];
	for (size_t i = 0; i < 9; i++) {
		const char *v = strchr(values, c[i]);

		if (!v)
			return false;
		sum += (int)(v - values) * weights[i];
	}
	return in("RST", c[0]) && c[9] == values[(sum + 6) % 11];
}

/* Date, place of birth (01 to 59, 60 to 99 with holes). */
bool check_my_nric(const char *c, size_t n)
{
	long place = number(c + 6, 2);

	(void)n;
	return (date6(c, 1900) || date6(c, 2000)) && place && (place < 17 || place > 20) &&
	       place != 69 && place != 70 && place != 73 && place != 80 && place != 81 &&
	       !(place >= 94 && place <= 97);
}

bool check_th_id(const char *c, size_t n)
{
	int v = WEIGH(c, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2) % 11;

	(void)n;
	return c[0] >= '1' && c[0] <= '8' && digit(c[12]) == (11 - v) % 10;
}

/* Province, century with sex, year. */
bool check_vn_cccd(const char *c, size_t n)
{
	(void)n;
	return c[0] == '0' && number(c, 3) && number(c, 3) <= 96 && c[3] <= '3';
}

bool check_id_nik(const char *c, size_t n)
{
	int d = (int)number(c + 6, 2), y = (int)number(c + 10, 2);

	(void)n;
	d -= d > 40 ? 40 : 0;
	return number(c, 2) >= 11 && number(c, 2) <= 94 && number(c + 12, 4) &&
	       (check_date(1900 + y, (int)number(c + 8, 2), d) ||
		check_date(2000 + y, (int)number(c + 8, 2), d));
}

bool check_id_npwp(const char *c, size_t n)
{
	c += n - 15; /* the new form has a 0 before it */
	return check_luhn(c, 9) && number(c, 9);
}

/* --- Oceania */

bool check_au_tfn(const char *c, size_t n)
{
	static const int8_t weights[] = { 1, 4, 3, 7, 5, 8, 6, 9, 10 };

	return !all_same(c, n) && weigh(c, weights, n) % 11 == 0;
}

bool check_au_abn(const char *c, size_t n)
{
	(void)n;
	return c[0] != '0' && (WEIGH(c, 10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19) - 10) % 89 == 0;
}

bool check_au_medicare(const char *c, size_t n)
{
	(void)n;
	return in("23456", c[0]) && WEIGH(c, 1, 3, 7, 9, 1, 3, 7, 9) % 10 == digit(c[8]);
}

bool check_nz_ird(const char *c, size_t n)
{
	char d[10] = "0";
	int v;

	memcpy(d + 9 - n, c, n);
	v = -WEIGH(d, 3, 2, 7, 6, 5, 4, 3, 2) % 11;
	if (v + 11 == 10)
		v = -WEIGH(d, 7, 4, 3, 2, 5, 2, 7, 6) % 11;
	return number(c, n) > 10000000 && number(c, n) < 150000000 &&
	       digit(c[n - 1]) == (v + 11) % 11;
}

bool check_nz_nhi(const char *c, size_t n)
{
	static const char values[] = " ABCDEFGHJKLMNPQRSTUVWXYZ"; /* from 1 on */
	int sum = 0;

	(void)n;
	for (size_t i = 0; i < 3; i++) {
		const char *v = strchr(values + 1, c[i]);

		if (!v)
			return false;
		sum += (int)(v - values) * (7 - (int)i);
	}
	sum = (sum + WEIGH(c + 3, 4, 3, 2)) % 11;
	return sum && digit(c[6]) == (11 - sum) % 10;
}

/* --- dates and what is none of these */

/* Year first or last; with the day first or, as in the US, the month. */
bool check_birth_date(const char *c, size_t n)
{
	int y = (int)number(c, 4), a = (int)number(c, 2), b = (int)number(c + 2, 2);

	if (n != 8)
		return false;
	if (y >= 1900 && y < 2100 && check_date(y, (int)number(c + 4, 2), (int)number(c + 6, 2)))
		return true;
	y = (int)number(c + 4, 4);
	return y >= 1900 && y < 2100 && (check_date(y, b, a) || check_date(y, a, b));
}

bool check_expiry(const char *c, size_t n)
{
	long month = number(c, 2), year = number(c + n - 2, 2);

	return month >= 1 && month <= 12 && year >= 15 && year <= 45 &&
	       (n == 4 || !memcmp(c + 2, "20", 2));
}

/* Seconds from 2001 on; milliseconds, microseconds and nanoseconds. */
bool check_unix_time(const char *c, size_t n)
{
	(void)n;
	return c[0] == '1' && c[1] <= '9';
}

bool check_isbn13(const char *c, size_t n)
{
	return (!memcmp(c, "978", 3) || !memcmp(c, "979", 3)) && check_ean13(c, n);
}

/* --- machine-readable zones */

static bool icao_field(const char *c, size_t at, size_t n, size_t check)
{
	return c[check] >= '0' && c[check] <= '9' && icao_sum(c + at, n) == digit(c[check]);
}

/* ICAO 9303 parts 4 to 6: number, birth, expiry, and a digit over all of them. */
bool check_mrz(const char *c, size_t n)
{
	char all[64];

	if (n == 44 || n == 36) {
		if (!icao_field(c, 0, 9, 9) || !icao_field(c, 13, 6, 19) ||
		    !icao_field(c, 21, 6, 27))
			return false;
		memcpy(all, c, 10);
		memcpy(all + 10, c + 13, 7);
		memcpy(all + 17, c + 21, n - 22);
		return c[n - 1] >= '0' && c[n - 1] <= '9' && strspn(c + 13, "0123456789") >= 7 &&
		       icao_sum(all, n - 5) == digit(c[n - 1]);
	}
	/* The second line of three; its composite covers the first one, too, and is not asked. */
	return n == 30 && strspn(c, "0123456789") == 7 && icao_field(c, 0, 6, 6) &&
	       in("MFX<", c[7]) && strspn(c + 8, "0123456789") == 7 && icao_field(c, 8, 6, 14);
}
