/* tools/collector/vault.h - what the collector keeps: every revision it was sent, verified, in one
 * SQLite file. Each sensor's store is a hash chain. A revision is stored once; its place in the
 * chain is proved before it is acknowledged, and what does not prove is kept aside with the reason,
 * so that a sensor whose history was rewritten is noticed and not cut off. Safe for several
 * threads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/earshot.pb-c.h"

#define VAULT_WHY_MAX	    160
#define VAULT_REVISIONS_MAX 4096 /* in one batch */
#define VAULT_REJECTED_MAX  256	 /* reasons in one Ack: it stays below 64 KiB */

struct vault;

/* path: a file, or a directory in which alerts.db is made. -ENOMEM, -EIO (why says what SQLite
 * says). */
int vault_open(struct vault **ret, const char *path, char why[VAULT_WHY_MAX]);
void vault_close(struct vault **v);

/* Told of each revision that was new, after it is on disk. body is NULL for a stub and for one that
 * was rejected (then why says what for). Borrowed until it returns; one thread at a time.
 */
typedef void vault_fn(void *ctx, const Earshot__Batch *b, const Earshot__Revision *r,
		      const Earshot__Body *body, const char *why);

/* Takes a serialized Batch; when it returns, what ret acknowledges is on disk.
 * -EBADMSG: it cannot be a batch (why says what is wrong); -EIO: the disk does not take it now;
 * -ENOMEM.
 */
int vault_take(struct vault *v, struct span batch, uint64_t now_ns, vault_fn *fn, void *ctx,
	       Earshot__Ack **ret, char why[VAULT_WHY_MAX]);
/* An Ack made by vault_take(). */
void vault_free_ack(Earshot__Ack *a);

/* Calls fn for the newest revision of each of the limit newest alerts, the newest first. 0, -EIO,
 * -ENOMEM. */
typedef void vault_alert_fn(void *ctx, const Earshot__Alert *a);
int vault_alerts(struct vault *v, unsigned limit, vault_alert_fn *fn, void *ctx);
