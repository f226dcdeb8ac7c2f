/* user/detect/sensitive_coin.c - addresses of crypto currencies, by their checksums: base58 and
 * bech32 of Bitcoin, EIP-55 of Ethereum, base58 of Monero. */
#include <ctype.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "base/own.h"
#include "detect/sensitive_check.h"

/* --- Keccak-256 as it was before it became SHA-3 */

#define KECCAK_RATE 136 /* bytes */

static inline uint64_t rotate(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static void keccak_round(uint64_t a[25], uint64_t constant)
{
	/* The cycle that moves all lanes but the first, and how far each turns on the way. */
	static const uint8_t lane[24] = { 10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
					  15, 23, 19, 13, 12, 2, 20, 14, 22, 9,	 6,  1 };
	static const uint8_t turn[24] = { 1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
					  27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44 };
	uint64_t c[5], moved;

	for (unsigned x = 0; x < 5; x++)
		c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
	for (unsigned x = 0; x < 5; x++) {
		uint64_t d = c[x ? x - 1 : 4] ^ rotate(c[x < 4 ? x + 1 : 0], 1);

		for (unsigned y = 0; y < 25; y += 5)
			a[x + y] ^= d;
	}
	moved = a[1];
	for (unsigned i = 0; i < 24; i++) {
		uint64_t next = a[lane[i]];

		a[lane[i]] = rotate(moved, turn[i]);
		moved = next;
	}
	for (unsigned y = 0; y < 25; y += 5) {
		uint64_t r[5] = { a[y], a[y + 1], a[y + 2], a[y + 3], a[y + 4] };

		a[y] = r[0] ^ (~r[1] & r[2]);
		a[y + 1] = r[1] ^ (~r[2] & r[3]);
		a[y + 2] = r[2] ^ (~r[3] & r[4]);
		a[y + 3] = r[3] ^ (~r[4] & r[0]);
		a[y + 4] = r[4] ^ (~r[0] & r[1]);
	}
	a[0] ^= constant;
}

/* Of fewer bytes than a block. */
static void keccak256(const uint8_t *p, size_t n, uint8_t ret[32])
{
	uint8_t block[KECCAK_RATE] = { 0 }, lfsr = 1;
	uint64_t a[25] = { 0 };

	assert(n < KECCAK_RATE);
	memcpy(block, p, n);
	block[n] ^= 1;
	block[KECCAK_RATE - 1] ^= 0x80;
	memcpy(a, block, sizeof(block));
	for (unsigned round = 0; round < 24; round++) {
		uint64_t constant = 0;

		for (unsigned j = 0; j < 7; j++) {
			constant |= (uint64_t)(lfsr & 1) << ((1u << j) - 1);
			lfsr = (uint8_t)(lfsr << 1 ^ (lfsr & 0x80 ? 0x71 : 0));
		}
		keccak_round(a, constant);
	}
	memcpy(ret, a, 32);
}

/* --- base 58 */

#define BASE58_ROOM 28 /* bytes that a number may have */

/* Big-endian bytes of n digits; false when one is none or they need more room. */
static bool base58(const char *c, size_t n, uint8_t *ret, size_t room)
{
	static const char digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
	uint32_t v[BASE58_ROOM / 4] = { 0 }; /* the least first */

	assert(room <= BASE58_ROOM);
	for (size_t i = 0; i < n; i++) {
		const char *d = strchr(digits, c[i]);
		uint64_t carry = d ? (uint64_t)(d - digits) : 0;

		if (!d)
			return false;
		for (size_t k = 0; k < ARRAY_SIZE(v); k++) {
			carry += v[k] * UINT64_C(58);
			v[k] = (uint32_t)carry;
			carry >>= 32;
		}
		if (carry)
			return false;
	}
	for (size_t i = 0; i < BASE58_ROOM; i++) {
		uint8_t byte = (uint8_t)(v[i / 4] >> i % 4 * 8);

		if (i < room)
			ret[room - 1 - i] = byte;
		else if (byte)
			return false;
	}
	return true;
}

#define SHA256_LEN 32

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256; /* looking it up costs more than using it */

static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static bool base58_check(const char *c, size_t n)
{
	uint8_t address[25], hash[SHA256_LEN];
	size_t ones = strspn(c, "1"), zeros = 0;

	if (n < 26 || n > 35 || !base58(c, n, address, sizeof(address)))
		return false;
	while (zeros < sizeof(address) && !address[zeros])
		zeros++;
	if (ones != zeros)
		return false;
	pthread_once(&once, fetch);
	return EVP_Digest(address, 21, hash, NULL, sha256, NULL) &&
	       EVP_Digest(hash, sizeof(hash), hash, NULL, sha256, NULL) &&
	       !memcmp(hash, address + 21, 4);
}

/* --- bech32 and bech32m, BIP 173 and 350 */

static bool bech32(const char *c, size_t n)
{
	static const char digits[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	static const uint32_t generator[] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
					      0x2a1462b3 };
	static const uint8_t prefix[] = { 3, 3, 0, 2, 3 }; /* "bc", spread */
	uint32_t sum = 1;
	unsigned version = 0;

	for (size_t i = 0; i < sizeof(prefix) + n - 3; i++) {
		uint32_t top = sum >> 25, v;

		if (i < sizeof(prefix)) {
			v = prefix[i];
		} else {
			const char *d = strchr(digits, tolower((unsigned char)c[i - 2]));

			if (!d || !*d)
				return false;
			v = (uint32_t)(d - digits);
			version = i == sizeof(prefix) ? v : version;
		}
		sum = (sum & 0x1ffffff) << 5 ^ v;
		for (unsigned k = 0; k < 5; k++)
			sum ^= top >> k & 1 ? generator[k] : 0;
	}
	return version <= 16 && sum == (version ? 0x2bc830a3u : 1u) &&
	       (version || n == 42 || n == 62);
}

bool check_btc(const char *c, size_t n)
{
	if (c[0] == '1' || c[0] == '3')
		return base58_check(c, n);
	return n >= 14 && n <= 74 && (!strncmp(c, "bc1", 3) || !strncmp(c, "BC1", 3)) &&
	       bech32(c, n);
}

/* Capitals where the hash of the small letters has a high bit; written in one case, it has no
 * check and proves nothing. */
bool check_eth(const char *c, size_t n)
{
	uint8_t small[40], hash[32];

	if (n != 42 || !strpbrk(c + 2, "abcdef") || !strpbrk(c + 2, "ABCDEF"))
		return false;
	for (unsigned i = 0; i < 40; i++)
		small[i] = (uint8_t)tolower((unsigned char)c[2 + i]);
	keccak256(small, sizeof(small), hash);
	for (unsigned i = 0; i < 40; i++) {
		bool high = hash[i / 2] >> (i % 2 ? 3 : 7) & 1;

		if (isalpha((unsigned char)c[2 + i]) &&
		    (isupper((unsigned char)c[2 + i]) != 0) != high)
			return false;
	}
	return true;
}

/* Blocks of eight bytes in eleven digits, the last of five in seven. */
bool check_xmr(const char *c, size_t n)
{
	uint8_t address[69], hash[32];

	if (n != 95)
		return false;
	for (unsigned i = 0; i < 8; i++)
		if (!base58(c + i * 11, 11, address + i * 8, 8))
			return false;
	if (!base58(c + 88, 7, address + 64, 5))
		return false;
	keccak256(address, 65, hash);
	return !memcmp(hash, address + 65, 4);
}
