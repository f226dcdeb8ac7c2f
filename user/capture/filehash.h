/* user/capture/filehash.h - SHA-256 of a file, by pread, up to a cap. Runs in the surveyor. */
#pragma once

#include <stdint.h>

#define FILEHASH_LEN 32
#define FILEHASH_MAX (UINT64_C(2) << 30) /* bytes of a file; a larger one gets no hash */

/* What would be loaded later, while files can be opened. */
void filehash_warm(void);
/* -E2BIG, -ENOMEM, or what pread returned. */
int filehash(int fd, uint8_t ret[FILEHASH_LEN]);
