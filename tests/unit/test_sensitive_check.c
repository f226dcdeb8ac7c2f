/* tests/unit/test_sensitive_check.c - check digits that no oracle knows: published examples, and
 * the same with another digit. The others are compared with one in
 * tests/e2e/test_sensitive_checks.py.
 */
#include "detect/sensitive_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"

static void examples(void **state)
{
	static const struct {
		sensitive_check *check;
		const char *good;
		bool exact; /* any other digit at the end breaks it */
	} rows[] = {
		{ check_luhn, "79927398713", true },
		{ check_verhoeff, "2363", true },
		{ check_ean13, "4006381333931", true },
		{ check_mod_11_2, "0000000218250097", true }, /* ISNI */
		{ check_mod_11_10, "33392005961", true },
		{ check_payment_card, "6759649826438453", true },
		{ check_iban, "GB82WEST12345698765432", true },
		{ check_iban, "NO9386011117947", true },
		{ check_iban, "MT84MALT011000012345MTLCAST001S", false },
		{ check_vin, "1M8GDM9AXKP042788", true },
		{ check_us_npi, "1234567893", true },
		{ check_us_dea, "BG8207032", true },
		{ check_us_mbi, "1EG4TE5MK73", false },
		{ check_ca_phn_bc, "9698658215", true },
		{ check_mx_clabe, "032180000118359719", true },
		{ check_br_cns, "700000000001001", true },
		{ check_gb_nino, "AB345678C", false },
		{ check_gb_driving, "MORGA607054SM9IJ", false },
		{ check_fr_nif, "3023217600053", true },
		{ check_de_rvnr, "15070649C103", true },
		{ check_de_rvnr, "65070803A019", true },
		{ check_de_kvnr, "A123456780", true },
		{ check_de_icao, "L01X00T471", true },
		{ check_lu_nin, "1893120105732", true },
		{ check_se_personnummer, "198112289874", true },
		{ check_se_personnummer, "8112289874", true },
		{ check_fi_hetu, "131052308T", false },
		{ check_hu_taj, "123456788", true },
		{ check_hu_tax, "8071592153", true },
		{ check_ru_snils, "11223344595", true },
		{ check_kz_iin, "971231301236", true },
		{ check_ae_eid, "784198012345678", false },
		{ check_eg_nid, "29001011234567", false },
		{ check_cn_mobile, "13812345678", false },
		{ check_hk_hkid, "A1234563", true },
		{ check_hk_hkid, "AB9876543", true },
		{ check_tw_id, "A123456789", true },
		{ check_jp_mynumber, "123456789018", true },
		{ check_sg_nric, "S1234567D", true },
		{ check_sg_nric, "F1234567N", true },
		{ check_sg_nric, "M1234567K", true },
		{ check_id_nik, "3204110609970001", false },
		{ check_au_medicare, "2123456701", false },
		{ check_nz_nhi, "ZZZ0016", true },
		{ check_birth_date, "19850312", false },
		{ check_birth_date, "12031985", false },
		{ check_expiry, "0827", false },
		{ check_nanp, "4158675309", false },
		{ check_mrz, "L898902C36UTO7408122F1204159ZE184226B<<<<<10", true },
		{ check_mrz, "D231458907UTO7408122F1204159<<<<<<<6", true },
		{ check_mrz, "7408122F1204159UTO<<<<<<<<<<<6", false },
		{ check_btc, "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", true },
		{ check_btc, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", true },
		{ check_btc, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
		  true },
		{ check_eth, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", false },
		{ check_eth, "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", false },
		{ check_xmr,
		  "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7"
		  "f2"
		  "wfn3RVGQBEP3A",
		  true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char c[128];
		size_t n = strlen(rows[i].good);

		strcpy(c, rows[i].good);
		if (!rows[i].check(c, n))
			fail_msg("%s is refused", c);
		for (char d = '0'; rows[i].exact && d <= '9'; d++) {
			c[n - 1] = d;
			if (d != rows[i].good[n - 1] && rows[i].check(c, n))
				fail_msg("%s passes", c);
		}
	}
}

/* Letters changed in case, in addresses where it counts. */
static void mixed_case(void **state)
{
	char c[] = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

	(void)state;
	for (size_t i = 2; c[i]; i++) {
		char was = c[i];

		if (was >= '0' && was <= '9')
			continue;
		c[i] ^= 0x20;
		assert_false(check_eth(c, 42));
		c[i] = was;
	}
	/* in one case there is nothing to check */
	assert_false(check_eth("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", 42));
}

static void refused(void **state)
{
	static const struct {
		sensitive_check *check;
		const char *bad;
	} rows[] = {
		{ check_payment_card, "4111111111111111" }, /* everybody's sample */
		{ check_payment_card, "9999999999999995" }, /* nobody issues those */
		{ check_payment_card, "0000000000000000" },
		{ check_iban, "GB82WEST1234569876543" },
		{ check_iban, "ZZ82WEST12345698765432" },
		{ check_iban, "GB821234123456987654" },
		{ check_us_ssn, "000123456" },
		{ check_us_ssn, "666123456" },
		{ check_us_ssn, "900123456" },
		{ check_us_ssn, "078051120" },
		{ check_us_ssn, "123450000" },
		{ check_gb_nino, "BG123456A" },
		{ check_gb_nino, "QQ123456C" },
		{ check_birth_date, "19850230" },
		{ check_birth_date, "18850312" },
		{ check_expiry, "1327" },
		{ check_nanp, "1158675309" },
		{ check_nanp, "4155550123" },
		{ check_mrz, "L898902C36UTO7408122F1204159ZE184226B<<<<<11" },
		{ check_mrz, "" },
		{ check_btc, "1BoatSLRHtKNngkdXEeobR76b53LETtpy" },
		{ check_btc, "bc1" },
		{ check_xmr, "44AFFq5k" },
		{ check_bic, "ABCDEFGH" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].check(rows[i].bad, strlen(rows[i].bad)))
			fail_msg("%s passes", rows[i].bad);
	assert_true(check_date(2000, 2, 29));
	assert_false(check_date(1900, 2, 29));
	assert_false(check_date(2024, 13, 1));
	assert_false(check_date(2024, 4, 31));
	assert_false(check_date(2024, 4, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(examples),
					    cmocka_unit_test(mixed_case),
					    cmocka_unit_test(refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
