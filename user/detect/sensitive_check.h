/* user/detect/sensitive_check.h - check digits of numbers that name a person, an account or a firm:
 * pure arithmetic over a value without its separators, in capitals. The caller has seen to its
 * length and to which characters are digits. Each says whether the number could have been issued.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef bool sensitive_check(const char *c, size_t n);

/* General ones. */
sensitive_check check_luhn;
sensitive_check check_verhoeff;
sensitive_check check_ean13;
sensitive_check check_mod_11_10; /* ISO 7064 */
sensitive_check check_mod_11_2;
sensitive_check check_mod_97_10;

/* One per type that has its own arithmetic, by the id of the type. */
sensitive_check check_payment_card, check_iban, check_bic, check_lei, check_isin, check_imsi;
sensitive_check check_iccid, check_vin;
sensitive_check check_us_ssn, check_us_itin, check_us_ein, check_us_aba, check_us_npi, check_us_dea;
sensitive_check check_us_mbi, check_ca_sin, check_ca_bn, check_ca_phn_bc, check_mx_curp,
    check_mx_rfc;
sensitive_check check_mx_clabe, check_br_cpf, check_br_cnpj, check_br_cns, check_ar_cuit,
    check_ar_cbu;
sensitive_check check_cl_rut, check_co_nit, check_pe_ruc, check_ec_ci, check_uy_rut, check_ve_rif;
sensitive_check check_gb_nino, check_gb_nhs, check_gb_utr, check_gb_driving, check_ie_pps,
    check_fr_nir;
sensitive_check check_fr_siren, check_fr_nif, check_de_idnr, check_de_rvnr, check_de_icao,
    check_de_kvnr;
sensitive_check check_at_svnr, check_ch_ahv, check_nl_bsn, check_be_nn, check_lu_nin, check_es_dni;
sensitive_check check_es_nie, check_es_cif, check_es_ccc, check_pt_nif, check_pt_cc, check_it_cf;
sensitive_check check_it_piva, check_gr_amka, check_gr_afm, check_se_personnummer, check_no_fnr;
sensitive_check check_no_kontonr, check_dk_cpr, check_fi_hetu, check_is_kt, check_ee_ik,
    check_lv_pk;
sensitive_check check_pl_pesel, check_pl_nip, check_cz_rc, check_hu_taj, check_hu_tax, check_ro_cnp;
sensitive_check check_bg_egn, check_si_emso, check_ua_rntrc, check_ru_inn, check_ru_snils,
    check_kz_iin;
sensitive_check check_tr_tckn, check_il_id, check_ae_eid, check_eg_nid, check_za_id, check_ke_pin;
sensitive_check check_in_aadhaar, check_in_pan, check_in_gstin, check_in_voter, check_pk_cnic;
sensitive_check check_cn_ric, check_cn_mobile, check_cn_uscc, check_hk_hkid, check_tw_id;
sensitive_check check_jp_mynumber, check_jp_driver, check_kr_rrn, check_kr_brn, check_sg_nric;
sensitive_check check_sg_uen, check_my_nric, check_th_id, check_vn_cccd, check_id_nik,
    check_id_npwp;
sensitive_check check_au_tfn, check_au_abn, check_au_medicare, check_nz_ird, check_nz_nhi;
sensitive_check check_birth_date, check_expiry, check_unix_time, check_isbn13, check_nanp;

/* As written, the case of letters kept: in sensitive_coin.c. */
sensitive_check check_btc, check_eth, check_xmr;
/* The second line of a passport's machine-readable zone, or the first two of a card's. */
sensitive_check check_mrz;

/* Is there such a day? */
bool check_date(int year, int month, int day);
