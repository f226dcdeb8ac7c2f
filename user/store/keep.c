/* user/store/keep.c - findings and observations -> alerts, revisions, outbox. */
#include "store/keep.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "alert/pack.h"
#include "base/escape.h"
#include "base/own.h"
#include "behave/conversation.h"

#define PENDING_MAX	32  /* finding ids that one revision names */
#define TURN_ALERTS_MAX 256 /* alerts of one turn that its end revises */
#define DIRTY_MAX	256 /* alerts revised in one transaction because their count changed */
#define REASON_MAX	256 /* bytes kept of upstream's reason to reject */

/* Whatever passed pack_check(), a revision fits: 6 KiB for the kind's texts, finding ids and the
 * small fields. */
static_assert(MERGE_EVIDENCE_MAX * PACK_EVIDENCE_MAX + PACK_CONTEXT_MAX +
		      MERGE_OTHERS_MAX * PACK_PROCESS_MAX + (6 << 10) <=
		  STORE_BODY_MAX,
	      "revision too large");

struct keep {
	struct keep_opts o;
	struct store *store;
	struct conversations *conversations;
	Earshot__ToKeeper *queue[KEEP_QUEUE_MAX + KEEP_OWN_MAX];
	size_t n_queue, n_own; /* n_own of them are the sensor's own */
	struct {
		bool known;
		uint8_t boot[16];
		uint64_t epoch;
		uint64_t committed;
	} sender; /* whom keep_committed() is for: an earlier process may have messages in the queue
		     still */
	uint64_t sent; /* last sequence of the batch that is out */
	struct tally tally;

	/* of the transaction under way */
	struct keep_time now;
	Earshot__Body **revised;
	size_t n_revised;
	uint64_t counts[CTR_MAX_];
};

int keep_open(struct keep **ret, const struct keep_opts *o, struct keep_time now)
{
	auto_free(keep) struct keep *k = calloc(1, sizeof(*k));
	char aside[64], why[160];
	int err;

	if (!k)
		return -ENOMEM;
	k->o = *o;
	if ((err = conversations_new(&k->conversations)) ||
	    (err = store_open(&k->store, o->path, now.wall_ns, aside)))
		return err;
	if (aside[0]) {
		snprintf(why, sizeof(why),
			 "The store was damaged; it is kept as %s and a new one begun", aside);
		keep_sensor(k, "sensor.store", why, 0, 0);
	}
	*ret = steal(k);
	return 0;
}

static void empty_queue(struct keep *k)
{
	while (k->n_queue)
		earshot__to_keeper__free_unpacked(k->queue[--k->n_queue], NULL);
	k->n_own = 0;
}

static void empty_revised(struct keep *k)
{
	while (k->n_revised)
		earshot__body__free_unpacked(k->revised[--k->n_revised], NULL);
	free(k->revised);
	k->revised = NULL;
}

void keep_free(struct keep **k)
{
	if (!*k)
		return;
	empty_queue(*k);
	empty_revised(*k);
	store_free(&(*k)->store);
	conversations_free(&(*k)->conversations);
	free(*k);
	*k = NULL;
}

const struct tally *keep_tally(const struct keep *k)
{
	return &k->tally;
}

struct store *keep_store(struct keep *k)
{
	return k->store;
}

/* --- the queue */

bool keep_full(const struct keep *k)
{
	return k->n_queue - k->n_own >= KEEP_QUEUE_MAX;
}

bool keep_waiting(const struct keep *k)
{
	return k->n_queue;
}

static const Earshot__FindingId *id_of(const Earshot__ToKeeper *m)
{
	return m->body_case == EARSHOT__TO_KEEPER__BODY_FINDING ? m->finding->id
								: m->observation->id;
}

static bool same_sender(const struct keep *k, const Earshot__FindingId *id)
{
	return k->sender.known && id->epoch == k->sender.epoch &&
	       !memcmp(id->boot.data, k->sender.boot, sizeof(k->sender.boot));
}

void keep_new_sender(struct keep *k)
{
	memset(&k->sender, 0, sizeof(k->sender));
}

uint64_t keep_committed(const struct keep *k)
{
	return k->sender.committed;
}

int keep_take(struct keep *k, struct span msg)
{
	Earshot__ToKeeper *m;
	int err;

	if (keep_full(k))
		return -EAGAIN;
	m = earshot__to_keeper__unpack(NULL, msg.len, msg.p);
	err = m ? pack_check(m) : -EBADMSG;
	if (err) {
		if (m)
			earshot__to_keeper__free_unpacked(m, NULL);
		return err;
	}
	if (m->body_case == EARSHOT__TO_KEEPER__BODY_DROPPED_FINDINGS) {
		keep_sensor(
		    k, "sensor.loss",
		    "The inspector dropped findings or observations: the keeper was too slow",
		    m->dropped_findings, 0);
		earshot__to_keeper__free_unpacked(m, NULL);
		return 0;
	}
	if (!k->sender.known) {
		memcpy(k->sender.boot, id_of(m)->boot.data, sizeof(k->sender.boot));
		k->sender.epoch = id_of(m)->epoch;
		k->sender.known = true;
	}
	k->queue[k->n_queue++] = m;
	return 0;
}

/* The same trouble with other numbers is the same evidence. */
static void fingerprint_of(const char *why, uint8_t ret[CHAIN_HASH_LEN])
{
	char words[512];
	size_t n = 0;

	for (; *why && n < sizeof(words); why++)
		if (!isdigit((unsigned char)*why))
			words[n++] = *why;
	chain_hash(span_of(words, n), ret);
}

void keep_sensor(struct keep *k, const char *kind, const char *why, uint64_t events, uint64_t bytes)
{
	Earshot__ToKeeper m = EARSHOT__TO_KEEPER__INIT;
	Earshot__Finding f = EARSHOT__FINDING__INIT;
	Earshot__Evidence e = EARSHOT__EVIDENCE__INIT;
	Earshot__Context x = EARSHOT__CONTEXT__INIT;
	uint8_t fingerprint[CHAIN_HASH_LEN];
	char text[512];
	int n;

	/* It may name files or quote upstream. */
	escape_str(text, 256, span_str(why));
	n = (int)strlen(text);
	if (events)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ", %llu events",
			      (unsigned long long)events);
	if (bytes)
		snprintf(text + n, sizeof(text) - (size_t)n, ", %llu bytes",
			 (unsigned long long)bytes);
	fingerprint_of(why, fingerprint);
	e.detector = "sensor";
	e.type = (char *)kind;
	e.score = 1;
	e.why = text;
	e.fingerprint = (ProtobufCBinaryData){ sizeof(struct hash128), fingerprint };
	f.kind = (char *)kind;
	f.evidence = &e;
	f.context = &x;
	m.body_case = EARSHOT__TO_KEEPER__BODY_FINDING;
	m.finding = &f;
	if (kind_find(kind) != KIND_MAX_ && k->n_own < KEEP_OWN_MAX) {
		size_t len = earshot__to_keeper__get_packed_size(&m);
		auto_mem uint8_t *raw = malloc(len);
		Earshot__ToKeeper *own = NULL;

		if (raw)
			own = earshot__to_keeper__unpack(NULL, earshot__to_keeper__pack(&m, raw),
							 raw);
		if (own) {
			k->queue[k->n_queue++] = own;
			k->n_own++;
			return;
		}
	}
	page_add(k->o.page, CTR_KEEPER_BAD, 1);
}

/* --- within a transaction */

/* A deep copy to publish after the commit. */
static int note_revised(struct keep *k, struct span packed)
{
	Earshot__Body **grown = realloc(k->revised, (k->n_revised + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	k->revised = grown;
	grown[k->n_revised] = earshot__body__unpack(NULL, packed.len, packed.p);
	if (!grown[k->n_revised])
		return -ENOMEM;
	k->n_revised++;
	return 0;
}

static void clear_pending(Earshot__Body *b)
{
	while (b->n_findings)
		earshot__finding_id__free_unpacked(b->findings[--b->n_findings], NULL);
}

/* Writes what changed since the last revision; with a full outbox the alert stays dirty until there
 * is room. Followers are told unless they would see no difference: nothing material, no finding.
 */
static int revise(struct keep *k, struct stored_alert *a, bool material)
{
	Earshot__Body b = EARSHOT__BODY__INIT;
	enum store_ship ship = STORE_SHIP_NOT;
	auto_mem uint8_t *packed = NULL;
	size_t len;
	int err;

	a->dirty = true;
	if (k->o.ship) {
		if (store_outbox(k->store) >= STORE_OUTBOX_MAX)
			return 0;
		ship = a->alert->mode == EARSHOT__MODE__MODE_ALERT ? STORE_SHIP_WHOLE
								   : STORE_SHIP_STUB;
	}
	b.action = a->revision ? EARSHOT__BODY__ACTION__UPDATE : EARSHOT__BODY__ACTION__CREATE;
	b.revision = a->revision + 1;
	b.alert = a->alert;
	b.time_ns = k->now.wall_ns;
	b.n_findings = a->pending->n_findings;
	b.findings = a->pending->findings;
	len = earshot__body__get_packed_size(&b);
	packed = malloc(len);
	if (!packed)
		return -ENOMEM;
	earshot__body__pack(&b, packed);
	err = store_revise(k->store, span_of(packed, len), ship);
	if (!err && (material || b.n_findings))
		err = note_revised(k, span_of(packed, len));
	if (err)
		return err;
	if (!a->revision)
		k->counts[CTR_ALERTS]++;
	k->counts[CTR_REVISIONS]++;
	a->revision++;
	a->revised_ns = k->now.wall_ns;
	a->dirty = false;
	clear_pending(a->pending);
	return 0;
}

/* After a merge: a material change is written at once, a count waits. */
static int settle(struct keep *k, struct stored_alert *a, int change)
{
	int err = 0;

	if (change < 0)
		return change;
	if (change == MERGE_MATERIAL)
		err = revise(k, a, true);
	else if (change == MERGE_COUNT)
		a->dirty = true;
	else
		return 0;
	return err ? err : store_alert_put(k->store, a);
}

static int note_pending(struct stored_alert *a, const Earshot__FindingId *id)
{
	Earshot__FindingId *mine, **grown;
	auto_mem uint8_t *raw = NULL;

	if (!id || a->pending->n_findings >= PENDING_MAX)
		return 0;
	raw = malloc(earshot__finding_id__get_packed_size(id));
	grown = realloc(a->pending->findings, (a->pending->n_findings + 1) * sizeof(*grown));
	if (grown)
		a->pending->findings = grown;
	mine = raw && grown
		   ? earshot__finding_id__unpack(NULL, earshot__finding_id__pack(id, raw), raw)
		   : NULL;
	if (!mine)
		return -ENOMEM;
	grown[a->pending->n_findings++] = mine;
	return 0;
}

static int new_alert(struct keep *k, struct stored_alert *ret, const Earshot__Finding *f,
		     enum mode mode, const char *conversation, uint64_t when_ns)
{
	uint8_t id[MERGE_ID_LEN];

	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	ret->pending = earshot__body__unpack(NULL, 0, NULL);
	if (!ret->pending)
		return -ENOMEM;
	return merge_new(&ret->alert, id, f, mode, conversation, k->o.host, when_ns);
}

/* A damaged row is no alert any more: its attack gets a new one. */
static int look_up(struct keep *k, const uint8_t key[MERGE_KEY_LEN], struct stored_alert *ret)
{
	uint64_t since = k->now.wall_ns > KEEP_WINDOW_NS ? k->now.wall_ns - KEEP_WINDOW_NS : 0;
	int found = store_alert_by_key(k->store, key, since, ret);

	if (found != -EBADMSG)
		return found;
	k->counts[CTR_STORE_ERRORS]++;
	return 0;
}

/* When the exchange began, by the wall clock; never in the future. */
static uint64_t when(const struct keep *k, const Earshot__Context *x)
{
	uint64_t age = 0;

	if (x->begin_mono_ns && x->begin_mono_ns < k->now.mono_ns)
		age = k->now.mono_ns - x->begin_mono_ns;
	return age < k->now.wall_ns ? k->now.wall_ns - age : k->now.wall_ns;
}

static int apply_finding(struct keep *k, const Earshot__Finding *f, int64_t epoch)
{
	enum kind kind = kind_find(f->kind);
	enum mode mode = MAX((enum mode)f->mode, k->o.modes[kind]);
	uint8_t key[MERGE_KEY_LEN], evidence_key[MERGE_KEY_LEN];
	char conversation[CONVERSATION_ID_SIZE];
	struct stored_alert a = { 0 };
	bool by_evidence = false;
	int found, change, err;

	if (mode == MODE_OFF) {
		k->counts[CTR_FINDINGS_OFF]++;
		return 0;
	}
	k->counts[mode == MODE_HUNT ? CTR_FINDINGS_HUNT : CTR_FINDINGS_STORED]++;
	conversation_of(k->conversations, f->context, f->prefixes, f->n_prefixes, f->anchor,
			conversation);
	merge_key(key, f->kind, f->context, conversation, f->evidence->fingerprint);
	merge_key(evidence_key, f->kind, f->context, NULL, f->evidence->fingerprint);
	found = look_up(k, key, &a);
	/* An old text in a conversation that branched off, or that the keeper forgot, has its alert
	 * already. */
	if (!found && f->history)
		by_evidence = (found = look_up(k, evidence_key, &a)) > 0;
	if (found < 0)
		return found;
	if (found) {
		change = merge_finding(a.alert, f, mode, when(k, f->context));
	} else {
		err = new_alert(k, &a, f, mode, conversation, when(k, f->context));
		change = err ? err : MERGE_MATERIAL;
	}
	err = change < 0 ? change : note_pending(&a, f->id);
	if (!err)
		err = settle(k, &a, change);
	if (!err && (change == MERGE_MATERIAL || by_evidence))
		err = store_alert_key(k->store, key, a.row);
	if (!err && change == MERGE_MATERIAL)
		err = store_alert_key(k->store, evidence_key, a.row);
	if (!err && f->id && !f->history)
		err = store_turn_add(k->store, epoch, f->context->exchange, a.row);
	stored_alert_free(&a);
	return err;
}

static int apply_observation(struct keep *k, const Earshot__Observation *o, int64_t epoch)
{
	char conversation[CONVERSATION_ID_SIZE];
	int64_t rows[TURN_ALERTS_MAX];
	ssize_t n;
	int err = 0;

	k->counts[CTR_OBSERVATIONS]++;
	conversation_end(k->conversations, o, conversation);
	n = store_turn_alerts(k->store, epoch, o->context->exchange, rows, ARRAY_SIZE(rows));
	for (ssize_t i = 0; i < n && !err; i++) {
		struct stored_alert a;
		int found = store_alert_get(k->store, rows[i], &a);

		if (found == 1)
			err = settle(k, &a, merge_observation(a.alert, o));
		else if (found && found != -EBADMSG)
			err = found;
		stored_alert_free(&a);
	}
	if (n < 0 || err)
		return n < 0 ? (int)n : err;
	return n ? store_turn_end(k->store, epoch, o->context->exchange) : 0;
}

/* One inspector process within the queue. */
struct epoch {
	const Earshot__FindingId *id; /* NULL: none yet */
	int64_t row;
	uint64_t committed;
};

static int end_epoch(struct keep *k, const struct epoch *e, uint64_t *ret_committed)
{
	if (!e->id)
		return 0;
	if (same_sender(k, e->id))
		*ret_committed = e->committed;
	return store_epoch_commit(k->store, e->row, e->committed);
}

/* Applies the queue; numbers ascend within an epoch, so what is not past its committed number was
 * here before. */
static int apply_queue(struct keep *k, uint64_t *ret_committed)
{
	struct epoch e = { 0 };
	int err = 0;

	for (size_t i = 0; i < k->n_queue && !err; i++) {
		const Earshot__ToKeeper *m = k->queue[i];
		const Earshot__FindingId *id = id_of(m);

		if (id && (!e.id || id->epoch != e.id->epoch ||
			   memcmp(id->boot.data, e.id->boot.data, 16))) {
			err = end_epoch(k, &e, ret_committed);
			if (!err)
				err = store_epoch(k->store, span_of(id->boot.data, id->boot.len),
						  id->epoch, &e.row, &e.committed);
			if (err)
				break;
			e.id = id;
		}
		if (id && id->number <= e.committed) {
			k->counts[CTR_FINDINGS_REPEATED]++;
			continue;
		}
		if (m->body_case == EARSHOT__TO_KEEPER__BODY_FINDING)
			err = apply_finding(k, m->finding, e.row);
		else
			err = apply_observation(k, m->observation, e.row);
		if (id)
			e.committed = id->number;
	}
	return err ? err : end_epoch(k, &e, ret_committed);
}

static int revise_dirty(struct keep *k, const int64_t *rows, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		struct stored_alert a;
		int found = store_alert_get(k->store, rows[i], &a);

		if (found == 1) {
			err = revise(k, &a, false);
			if (!err)
				err = store_alert_put(k->store, &a);
		} else if (found == -EBADMSG) {
			/* Its revisions still tell what it was. */
			k->counts[CTR_STORE_ERRORS]++;
			err = store_alert_drop(k->store, rows[i]);
		} else {
			err = found;
		}
		stored_alert_free(&a);
	}
	return err;
}

static int transact(struct keep *k, const int64_t *dirty, size_t n_dirty)
{
	uint64_t committed = k->sender.committed;
	int err = store_begin(k->store);

	if (err)
		return err;
	err = apply_queue(k, &committed);
	if (!err)
		err = revise_dirty(k, dirty, n_dirty);
	if (!err && store_crowded(k->store))
		err = store_prune(k->store);
	if (err)
		store_rollback(k->store);
	else
		err = store_commit(k->store);
	if (!err)
		k->sender.committed = committed;
	return err;
}

static void count_turns(struct keep *k)
{
	for (size_t i = 0; i < k->n_queue; i++) {
		const Earshot__Observation *o = k->queue[i]->observation;

		if (k->queue[i]->body_case == EARSHOT__TO_KEEPER__BODY_OBSERVATION &&
		    o->context->process)
			tally_turn(&k->tally, o->context->process->pid,
				   o->context->process->start_ns, k->now.mono_ns);
	}
}

int keep_commit(struct keep *k, struct keep_time now, bool all)
{
	int64_t rows[DIRTY_MAX];
	uint64_t from =
	    all || now.wall_ns < KEEP_REVISE_NS ? now.wall_ns + 1 : now.wall_ns - KEEP_REVISE_NS;
	ssize_t n = 0;
	int err;

	k->now = now;
	/* With a full outbox they stay as they are. */
	if (!k->o.ship || store_outbox(k->store) < STORE_OUTBOX_MAX)
		n = store_alerts_dirty(k->store, from, now.wall_ns, rows, ARRAY_SIZE(rows));
	if (n < 0)
		return (int)n;
	if (!n && !k->n_queue)
		return 0;
	memset(k->counts, 0, sizeof(k->counts));
	err = transact(k, rows, (size_t)n);
	if (err) {
		page_add(k->o.page, CTR_STORE_ERRORS, 1);
	} else {
		count_turns(k);
		empty_queue(k);
		for (int i = 0; i < CTR_MAX_; i++)
			if (k->counts[i])
				page_add(k->o.page, (enum counter)i, k->counts[i]);
		for (size_t i = 0; i < k->n_revised && k->o.revised; i++)
			k->o.revised(k->o.ctx, k->revised[i]);
	}
	empty_revised(k);
	return err ? err : n == DIRTY_MAX;
}

int keep_prune(struct keep *k)
{
	int err = store_begin(k->store);

	if (err)
		return err;
	err = store_prune(k->store);
	if (err)
		store_rollback(k->store);
	else
		err = store_commit(k->store);
	return err;
}

/* --- upstream */

int keep_batch(struct keep *k, uint8_t **ret, size_t *ret_len)
{
	Earshot__Batch b = EARSHOT__BATCH__INIT;
	ssize_t n;

	b.schema = 1;
	b.host = (char *)k->o.host;
	b.store = (ProtobufCBinaryData){ CHAIN_STORE_LEN, (uint8_t *)store_chain(k->store)->store };
	b.sensor_version = EARSHOT_VERSION;
	n = store_batch(k->store, &b, KEEP_BATCH_MAX);
	if (n > 0) {
		*ret = malloc(earshot__batch__get_packed_size(&b));
		if (*ret) {
			*ret_len = earshot__batch__pack(&b, *ret);
			k->sent = b.revisions[b.n_revisions - 1]->sequence;
		} else {
			n = -ENOMEM;
		}
	}
	for (size_t i = 0; i < b.n_revisions; i++)
		earshot__revision__free_unpacked(b.revisions[i], NULL);
	free(b.revisions);
	return n > 0 ? 1 : (int)n;
}

int keep_ack(struct keep *k, const Earshot__Ack *ack)
{
	uint64_t before = store_outbox(k->store);
	int err = store_begin(k->store);

	if (err)
		return err;
	for (size_t i = 0; i < ack->n_rejected && !err; i++) {
		const Earshot__Ack__Rejected *r = ack->rejected[i];
		char reason[REASON_MAX];

		snprintf(reason, sizeof(reason), "%s", r->reason);
		if (r->sequence <= k->sent)
			err = store_rejected(k->store, r->sequence, reason);
	}
	/* Upstream cannot acknowledge what it was not sent. */
	if (!err)
		err = store_shipped(k->store, MIN(ack->through, k->sent));
	if (err)
		store_rollback(k->store);
	else
		err = store_commit(k->store);
	return err ? err : store_outbox(k->store) < before;
}
