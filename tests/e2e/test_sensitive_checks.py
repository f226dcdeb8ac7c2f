"""tests/e2e/test_sensitive_checks.py - the check digits of sensitive data against python-stdnum, on random values."""

import importlib
import itertools
import random
import re
import string
import subprocess
import sys

from harness import Skip, check, main

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's python3-stdnum, also for a Python of its own

RANDOM = 1000  # values of a type with nothing said of their check digits
VALID = 250  # and of those that the oracle takes

# How the two may differ: SAME in nothing; STRICT: ours refuses some that the oracle takes (samples of documentation, prefixes nobody was
# given); LOOSE: ours takes some that it refuses (tables of places, birthdays yet to come, which depend on the day of the test).
SAME, STRICT, LOOSE = "same", "strict", "loose"
D, A, X = string.digits, string.ascii_uppercase, string.digits + string.ascii_uppercase


def shape(pattern):
    """'#' a digit, 'A' a letter, 'X' either, '@' a date as yymmdd, '%' one as ddmmyy, other characters themselves."""
    out = []
    for c in pattern:
        y, m, d = random.randrange(100), random.randint(1, 12), random.randint(1, 28)
        out.append({"#": lambda: random.choice(D), "A": lambda: random.choice(A), "X": lambda: random.choice(X),
                    "@": lambda: f"{y:02}{m:02}{d:02}", "%": lambda: f"{d:02}{m:02}{y:02}"}.get(c, lambda: c)())
    return "".join(out)


# type: module of the oracle, shape, how they may differ, which characters from the end are tried for a valid one, and how many
TYPES = {
    "payment-card": ("luhn", ["4###############", "51##############", "37#############"], STRICT, D, 1),
    "iccid": ("luhn", ["89#################", "89##################"], SAME, D, 1),
    "imei": ("imei", ["###############"], SAME, D, 1),
    "lei": ("lei", ["XXXXXXXXXXXXXXXXXX##"], SAME, D, 2),
    "isin": ("isin", ["US##########", "DEXXXXXXXXX#", "AAXXXXXXXXX#"], SAME, D, 1),
    "bic": ("bic", ["AAAAAAXX", "AAAAAAXXXXX"], STRICT, X, 1),
    "isbn13": ("isbn", ["978##########", "979##########"], SAME, D, 1),
    "ean13": ("ean", ["#############"], SAME, D, 1),
    "orcid": ("iso7064.mod_11_2", ["################"], SAME, D + "X", 1),
    "us-ssn": ("us.ssn", ["#########"], STRICT, D, 1),
    "us-itin": ("us.itin", ["9########"], LOOSE, D, 1),
    "us-ein": ("us.ein", ["#########"], SAME, D, 1),
    "us-aba": ("us.rtn", ["#########"], SAME, D, 1),
    "ca-sin": ("ca.sin", ["#########"], STRICT, D, 1),
    "ca-bn": ("ca.bn", ["#########", "#########RC####"], SAME, D, 1),
    "mx-curp": ("mx.curp", ["AAAA@HDFAAA0#", "AAAA@MJCAAAA#"], STRICT, D, 1),
    "mx-rfc": ("mx.rfc", ["AAAA@XXX", "AAA@XXX"], LOOSE, X, 1),
    "br-cpf": ("br.cpf", ["###########"], SAME, D, 2),
    "br-cnpj": ("br.cnpj", ["##############"], SAME, D, 2),
    "ar-cuit": ("ar.cuit", ["20#########", "27#########", "30#########", "###########"], SAME, D, 1),
    "ar-cbu": ("ar.cbu", ["######################"], SAME, D, (7, 21)),
    "cl-rut": ("cl.rut", ["########", "#########"], SAME, D + "K", 1),
    "co-nit": ("co.nit", ["########", "#########", "##########"], SAME, D, 1),
    "pe-ruc": ("pe.ruc", ["10#########", "20#########", "###########"], SAME, D, 1),
    "ec-ci": ("ec.ci", ["0#########", "17########"], SAME, D, 1),
    "uy-rut": ("uy.rut", ["21######0010", "1#######001#"], SAME, D, 1),
    "ve-rif": ("ve.rif", ["V#########", "J#########"], SAME, D, 1),
    "do-cedula": ("do.cedula", ["###########"], SAME, D, 1),
    "gb-utr": ("gb.utr", ["##########"], SAME, D, 1),
    "gb-nhs": ("gb.nhs", ["##########"], SAME, D, 1),
    "ie-pps": ("ie.pps", ["#######A", "#######AA"], SAME, A, 1),
    "fr-nir": ("fr.nir", ["1##0#7#########", "2##1#2A########", "1##082B########"], STRICT, D, 2),
    "fr-siren": ("fr.siren", ["#########"], SAME, D, 1),
    "fr-nif": ("fr.nif", ["0############", "3############"], STRICT, D, 3),
    "de-idnr": ("de.idnr", ["###########"], SAME, D, 2),
    "at-svnr": ("at.vnr", ["##########", "1234%"], SAME, D, 1),
    "ch-ahv": ("ch.ssn", ["756##########"], SAME, D, 1),
    "nl-bsn": ("nl.bsn", ["#########"], SAME, D, 1),
    "be-nn": ("be.nn", ["@#####"], LOOSE, D, 2),
    "es-dni": ("es.dni", ["########A"], SAME, A, 1),
    "es-nie": ("es.nie", ["X#######A", "Y#######A", "Z#######A"], SAME, A, 1),
    "es-cif": ("es.cif", ["A########", "B#######A", "Q#######A"], SAME, X, 1),
    "es-ccc": ("es.ccc", ["####################"], SAME, D, (8, 9)),
    "pt-nif": ("pt.nif", ["#########"], SAME, D, 1),
    "pt-cc": ("pt.cc", ["#########XX#"], SAME, D, 1),
    "it-cf": ("it.codicefiscale", ["AAAAAA##A##A###A", "AAAAAA##A1#A###A"], LOOSE, A, 1),
    "it-piva": ("it.iva", ["#######00##", "###########"], SAME, D, 1),
    "gr-amka": ("gr.amka", ["%#####", "###########"], SAME, D, 1),
    "gr-afm": ("gr.vat", ["#########"], SAME, D, 1),
    "no-fnr": ("no.fodselsnummer", ["%#####"], LOOSE, D, 2),
    "no-kontonr": ("no.kontonr", ["###########"], SAME, D, 1),
    "dk-cpr": ("dk.cpr", ["%####", "##########"], LOOSE, D, 1),
    "is-kt": ("is_.kennitala", ["%###9", "%###0"], SAME, None, 0),
    "ee-ik": ("ee.ik", ["3@####", "6@####", "###########"], SAME, D, 1),
    "lt-ak": ("lt.asmens", ["3@####", "6@####", "1@####"], STRICT, D, 1),
    "pl-pesel": ("pl.pesel", ["@#####", "###########"], SAME, D, 1),
    "pl-nip": ("pl.nip", ["##########"], SAME, D, 1),
    "cz-rc": ("cz.rc", ["@####", "@###", "##########"], SAME, D, 1),
    "ro-cnp": ("ro.cnp", ["1@######", "6@######", "#############"], SAME, D, 1),
    "bg-egn": ("bg.egn", ["@####", "##########"], SAME, D, 1),
    "hr-oib": ("hr.oib", ["###########"], SAME, D, 1),
    "si-emso": ("si.emso", ["0101006500###", "1503975######", "3112999######", "#############"], SAME, D, 1),
    "ua-rntrc": ("ua.rntrc", ["##########"], SAME, D, 1),
    "ru-inn": ("ru.inn", ["##########", "############"], SAME, D, 2),
    "tr-tckn": ("tr.tckimlik", ["###########"], SAME, D, 2),
    "il-id": ("il.idnr", ["#########", "########"], SAME, D, 1),
    "sa-id": ("luhn", ["1#########", "2#########"], SAME, D, 1),
    "za-id": ("za.idnr", ["@####08#", "@####18#", "#############"], LOOSE, D, 1),
    "ke-pin": ("ke.pin", ["A#########A", "P#########A"], SAME, None, 0),
    "in-aadhaar": ("in_.aadhaar", ["############"], SAME, D, 1),
    "in-pan": ("in_.pan", ["AAAPA####A", "AAAAA####A"], SAME, None, 0),
    "in-gstin": ("in_.gstin", ["27AAAPA####A1ZX", "##AAAPA####A1ZX"], LOOSE, X, 1),
    "in-voter": ("in_.epic", ["AAA#######"], SAME, D, 1),
    "pk-cnic": ("pk.cnic", ["#############"], SAME, D, 1),
    "cn-ric": ("cn.ric", ["11010119800101####", "44030620010101####", "##################"], LOOSE, D + "X", 1),
    "cn-uscc": ("cn.uscc", ["91110000########X#", "##################"], SAME, X, 1),
    "kr-rrn": ("kr.rrn", ["@1######", "@2######"], LOOSE, D, 1),
    "kr-brn": ("kr.brn", ["##########"], SAME, None, 0),
    "sg-uen": ("sg.uen", ["########A", "2008#####A", "T08LL####A"], LOOSE, A, 1),
    "my-nric": ("my.nric", ["@##0###", "@14####"], LOOSE, None, 0),
    "th-id": ("th.pin", ["#############"], SAME, D, 1),
    "id-npwp": ("id.npwp", ["###############"], SAME, None, 0),
    "au-tfn": ("au.tfn", ["########", "#########"], SAME, D, 1),
    "au-abn": ("au.abn", ["###########"], SAME, D, 2),
    "nz-ird": ("nz.ird", ["########", "1########"], SAME, D, 1),
    "crypto-btc": ("bitcoin", ["1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
                               "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"], SAME, None, 0),
    "iban": ("iban", [], SAME, None, 0),
}


def changed(value):
    """One character replaced by one of its sort."""
    i = random.randrange(len(value))
    pool = D if value[i] in D else A if value[i] in A else string.ascii_lowercase
    return value[:i] + random.choice(pool) + value[i + 1:]


def with_check(valid, value, alphabet, n):
    """The value with its last n characters (or those at the places n) replaced so that the oracle takes it; None when none does."""
    places = n if isinstance(n, tuple) else range(len(value) - n, len(value))
    for replaced in random.sample(list(itertools.product(alphabet, repeat=len(places))), len(alphabet) ** len(places)):
        v = list(value)
        for place, c in zip(places, replaced):
            v[place] = c
        if valid("".join(v)):
            return "".join(v)
    return None


def ibans():
    iban = importlib.import_module("stdnum.iban")
    for line in open(iban.__file__.replace("iban.py", "iban.dat"), encoding="utf-8"):
        if not (m := re.match(r'([A-Z]{2}) .*bban="([^"]*)"', line)):
            continue
        for _ in range(20):
            kinds = {"n": D, "a": A, "c": X}
            bban = "".join(random.choice(kinds[k]) for n, k in re.findall(r"(\d+)!([nac])", m[2]) for _ in range(int(n)))
            yield m[1] + iban.calc_check_digits(m[1] + "00" + bban) + bban


def values(name, valid, shapes, alphabet, n):
    if name == "iban":
        for v in ibans():
            yield v
            yield changed(v)
        return
    for i in range(RANDOM):
        v = shape(random.choice(shapes))
        yield v if name != "crypto-btc" or i < 3 else changed(random.choice(shapes))
    for _ in range(VALID if n else 0):
        v = with_check(valid, shape(random.choice(shapes)), alphabet, n)
        if v:
            yield v
            yield changed(v)


def oracle(name):
    try:
        module = importlib.import_module("stdnum." + name)
    except ModuleNotFoundError:
        return None
    if name == "iban":
        return lambda v: module.is_valid(v, check_country=False)
    return module.is_valid


# Numbers that say nothing: the same digit throughout. The oracle takes some of them.
def empty(v):
    return len(set(v[:9])) == 1 or len(set(v)) == 1


def test_verdicts(w):
    """every type with an oracle gets the same verdict as from it, on thousands of random values, good and bad"""
    try:
        importlib.import_module("stdnum")
    except ModuleNotFoundError as e:
        raise Skip("python3-stdnum is not there") from e
    random.seed(161)
    asked, expected, missing, good = [], [], [], {}
    for name, (module, shapes, how, alphabet, n) in TYPES.items():
        valid = oracle(module)
        if not valid:
            missing.append(name)
            continue
        for v in values(name, valid, shapes, alphabet, n):
            if empty(v):
                continue
            asked.append((name, v, how))
            expected.append(bool(valid(v)))
            good[name] = good.get(name, 0) + expected[-1]
    data = "".join(f"{name} {v}\n" for name, v, _ in asked)
    done = subprocess.run([str(w.build / "tests/e2e/sensitive_verdicts")], input=data, capture_output=True, text=True, timeout=120)
    verdicts = [int(line) for line in done.stdout.split()]
    check(len(verdicts) == len(asked), done.stderr)
    wrong = [f"{name} {v}: {said}, oracle {int(right)}" for (name, v, how), said, right in zip(asked, verdicts, expected)
             if said < 0 or (said and not right and how != LOOSE) or (right and not said and how != STRICT)]
    check(not wrong, f"{len(wrong)} of {len(asked)} verdicts differ:\n" + "\n".join(wrong[:40]))
    few = [name for name, n in good.items() if n < 20]
    check(not few, f"hardly any valid values of {few}")
    w.note(f"{len(asked)} values of {len(good)} types" + (f"; this version of the oracle lacks {missing}" if missing else ""))


if __name__ == "__main__":
    main(needs_root=False)
