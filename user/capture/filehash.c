/* user/capture/filehash.c - SHA-256 of a file. */
#include "capture/filehash.h"

#include <errno.h>
#include <openssl/evp.h>

#include "base/own.h"
#include "capture/read_once.h"

#define CHUNK (256 << 10)

void filehash_warm(void)
{
	uint8_t hash[FILEHASH_LEN];

	EVP_Digest("", 0, hash, NULL, EVP_sha256(), NULL);
}

int filehash(int fd, uint8_t ret[FILEHASH_LEN])
{
	static uint8_t buf[CHUNK];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint64_t at = 0;
	int err = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) ? 0 : -ENOMEM;

	while (!err) {
		ssize_t n = read_once(fd, buf, sizeof(buf), (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		at += (uint64_t)n;
		if (at > FILEHASH_MAX)
			err = -E2BIG;
		else if (!EVP_DigestUpdate(ctx, buf, (size_t)n))
			err = -ENOMEM;
	}
	if (!err && !EVP_DigestFinal_ex(ctx, ret, NULL))
		err = -ENOMEM;
	EVP_MD_CTX_free(ctx);
	return err;
}
