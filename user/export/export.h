/* user/export/export.h - what carries batches of alert revisions upstream: one file and one row in
 * exporters.def each. An exporter makes one attempt at a time and says how it went; what to send
 * next and when is the delivery's business (export/delivery.h). It sees serialized batches, never
 * captured bytes.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"
#include "config/config.h"
#include "proc/loop.h"
#include "proto/earshot.pb-c.h"

#define EXPORT_WHY_MAX 256

enum export_verdict {
	EXPORT_STORED,	/* upstream answered with an Ack */
	EXPORT_RETRY,	/* not now: transport error, overload */
	EXPORT_POISON,	/* upstream cannot digest this batch: something in it is never going to be
			   accepted */
	EXPORT_REFUSED, /* upstream does not want us (credentials, address): it takes a person to
			   change that */
	EXPORT_VERDICT_MAX_,
};

struct export_result {
	enum export_verdict verdict;
	const Earshot__Ack *ack;  /* EXPORT_STORED; borrowed until the callback returns */
	uint64_t retry_after_ns;  /* upstream asked for this much patience; 0: it did not */
	char why[EXPORT_WHY_MAX]; /* for people; may quote upstream, so it is hostile text */
};

/* The attempt ended. Called from the loop, never from within .send. */
typedef void export_done_fn(void *ctx, const struct export_result *r);

struct export_env {
	const struct config_export *config;
	int ca, cert, key; /* PEM files, open; read in .open and left open; -1: not configured */
	struct loop *loop; /* outlives the exporter */
	export_done_fn *done;
	void *ctx;
};

struct exporter {
	const char *name;
	/* Does everything that the sandbox will forbid. 0, -ENOMEM, -EINVAL (the reason is logged).
	 */
	int (*open)(void **ret, const struct export_env *env);
	/* Begins an attempt; batch is copied. 0: .done follows; -EBUSY: one is under way; -ENOMEM.
	 */
	int (*send)(void *x, struct span batch);
	/* Gives up the attempt under way, if any: .done is not called. Nothing is lost by it, since
	 * only an Ack counts. */
	void (*cancel)(void *x);
	void (*close)(void **x);
};

extern const struct exporter *const exporters[EXPORT_MAX_]; /* by enum export_type */
