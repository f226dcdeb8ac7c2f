/* user/base/mac.c - keyed 128-bit fingerprints over OpenSSL's HMAC. */
#include "base/mac.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

struct mac {
	EVP_MAC *alg;
	EVP_MAC_CTX *ctx;
	uint8_t key[MAC_KEY_LEN];
};

int mac_new(struct mac **ret, const uint8_t key[MAC_KEY_LEN])
{
	auto_free(mac) struct mac *m = calloc(1, sizeof(*m));
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	if (!m)
		return -ENOMEM;
	memcpy(m->key, key, sizeof(m->key));
	m->alg = EVP_MAC_fetch(NULL, "HMAC", NULL);
	m->ctx = m->alg ? EVP_MAC_CTX_new(m->alg) : NULL;
	if (!m->ctx || !EVP_MAC_init(m->ctx, m->key, sizeof(m->key), params))
		return -ENOMEM;
	*ret = steal(m);
	return 0;
}

void mac_free(struct mac **m)
{
	if (!*m)
		return;
	EVP_MAC_CTX_free((*m)->ctx);
	EVP_MAC_free((*m)->alg);
	explicit_bzero(*m, sizeof(**m));
	free(*m);
	*m = NULL;
}

/* After mac_new() succeeded these calls cannot fail: the state is allocated and re-initialised in
 * place. A failure would give equal fingerprints to unequal texts, so it ends the process.
 */
static void must(int ok)
{
	if (!ok)
		abort();
}

void mac_begin(struct mac *m, const char *label)
{
	must(EVP_MAC_init(m->ctx, m->key, sizeof(m->key), NULL));
	mac_add(m, span_str(label));
}

void mac_add(struct mac *m, struct span part)
{
	uint64_t len = part.len;

	must(EVP_MAC_update(m->ctx, (const uint8_t *)&len, sizeof(len)));
	if (part.len)
		must(EVP_MAC_update(m->ctx, part.p, part.len));
}

struct hash128 mac_end(struct mac *m)
{
	uint8_t full[32];
	struct hash128 h;
	size_t len;

	must(EVP_MAC_final(m->ctx, full, &len, sizeof(full)) && len == sizeof(full));
	memcpy(h.b, full, sizeof(h.b));
	return h;
}

struct hash128 mac_of(struct mac *m, const char *label, struct span part)
{
	mac_begin(m, label);
	mac_add(m, part);
	return mac_end(m);
}
