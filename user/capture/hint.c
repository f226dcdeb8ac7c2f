/* user/capture/hint.c - TLS code that is there but cannot be probed: libraries with another API by
 * a function that they export, what is linked into a program by texts that stay when symbols are
 * stripped. Hostile input: read through elf64, bounded.
 */
#include "capture/hint.h"

#include <assert.h>
#include <string.h>

#include "base/own.h"
#include "capture/elf64.h"

#define SCAN_MAX   (UINT64_C(128) << 20) /* bytes of one file that are searched for texts */
#define SCAN_CHUNK (128 << 10)

const struct hint_row hint_rows[HINT_MAX_] = {
	[HINT_GO] = { "go", "Go's own crypto/tls, which is not OpenSSL" },
	[HINT_RUSTLS] = { "rustls", "rustls linked in, which is not OpenSSL" },
	[HINT_BORINGSSL] = { "boringssl-stripped", "BoringSSL linked in without symbols" },
	[HINT_OPENSSL] = { "openssl-stripped", "OpenSSL linked in without symbols" },
	[HINT_GNUTLS] = { "gnutls", "GnuTLS, which is not OpenSSL" },
	[HINT_NSS] = { "nss", "NSS, which is not OpenSSL" },
	[HINT_MBEDTLS] = { "mbedtls", "Mbed TLS, which is not OpenSSL" },
	[HINT_WOLFSSL] = { "wolfssl", "wolfSSL, which is not OpenSSL" },
};

static const struct {
	enum hint hint;
	const char *name; /* of a function that the file defines */
} functions[] = {
	{ HINT_GNUTLS, "gnutls_record_recv" },
	{ HINT_NSS, "SSL_ImportFD" },
	{ HINT_MBEDTLS, "mbedtls_ssl_read" },
	{ HINT_WOLFSSL, "wolfSSL_read" },
};

/* Names of source files and functions, which assertions, panics and Go's tracebacks need. */
static const struct {
	enum hint hint;
	struct span text;
} texts[] = {
	{ HINT_GO, SPAN_LIT("crypto/tls.(*Conn).Read") },
	{ HINT_RUSTLS, SPAN_LIT("/rustls-0.") },
	{ HINT_BORINGSSL, SPAN_LIT("ssl/ssl_lib.cc\0") },
	{ HINT_OPENSSL, SPAN_LIT("ssl/ssl_lib.c\0") },
};
#define TEXT_MAX 32 /* bytes of the longest of them */

static uint32_t by_function(struct elf64 *e)
{
	struct elf64_func found[ARRAY_SIZE(functions)] = {};
	const char *names[ARRAY_SIZE(functions)];
	uint32_t hints = 0;

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		names[i] = functions[i].name;
	if (elf64_dynamic(e, names, ARRAY_SIZE(functions), found))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (found[i].va)
			hints |= 1u << functions[i].hint;
	return hints;
}

static uint32_t in_text(struct span s, uint32_t known)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!(known & 1u << texts[i].hint) &&
		    memmem(s.p, s.len, texts[i].text.p, texts[i].text.len))
			known |= 1u << texts[i].hint;
	return known;
}

/* Searches what one segment has in the file, in pieces that overlap by the longest text. */
static uint32_t scan_segment(struct elf64 *e, const Elf64_Phdr *p, uint64_t *left, uint32_t known)
{
	static uint8_t buf[TEXT_MAX + SCAN_CHUNK];
	size_t kept = 0;

	for (uint64_t off = 0; off < p->p_filesz && *left;) {
		size_t n = (size_t)MIN(MIN(p->p_filesz - off, *left), (uint64_t)SCAN_CHUNK);

		if (elf64_read(e, p->p_offset + off, buf + kept, n))
			return known;
		known = in_text(span_of(buf, kept + n), known);
		off += n;
		*left -= n;
		n += kept;
		kept = MIN(n, (size_t)TEXT_MAX);
		memmove(buf, buf + n - kept, kept);
	}
	return known;
}

uint32_t hint_find(int fd)
{
	uint64_t left = SCAN_MAX;
	uint32_t hints;
	struct elf64 e;
	bool apart = false;

	if (elf64_open(&e, fd))
		return 0;
	hints = by_function(&e);
	/* Texts stand beside code only where the linker did not keep them apart. */
	for (unsigned i = 0; i < e.n_ph; i++)
		apart |= e.ph[i].p_type == PT_LOAD && !(e.ph[i].p_flags & (PF_X | PF_W)) &&
			 e.ph[i].p_offset;
	for (unsigned i = 0; i < e.n_ph; i++)
		if (e.ph[i].p_type == PT_LOAD && !(apart && e.ph[i].p_flags & PF_X))
			hints = scan_segment(&e, &e.ph[i], &left, hints);
	return hints;
}
