/* tests/fuzz/fuzz_vault.c - whatever shippers send to a collector, what it keeps stays whole:
 * chains without holes that prove themselves, but where it says that they do not, and nothing of a
 * batch that it refuses. The input: batches, each after its length in two bytes (big endian). After
 * a first byte 'm' what they leave out is filled in so that it proves: ids of stores, sequences,
 * hashes.
 */
#include "tools/collector/vault.c"

#include "base/buf.h"

#define ACK_BYTES_MAX (64 << 10)
#define MENDED_MAX    (1 << 20)
#define BATCHES_MAX   16
#define ALERTS_MAX    1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vault *vault;

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* --- filling in */

static void fill(ProtobufCBinaryData *to, const void *p, size_t len)
{
	if (to->len)
		return;
	free(to->data);
	to->data = malloc(len);
	must(to->data);
	memcpy(to->data, p, len);
	to->len = len;
}

static void mend(struct chain *c, Earshot__Revision *r)
{
	uint8_t body[CHAIN_HASH_LEN] = { 0 };

	fill(&r->store, c->store, CHAIN_STORE_LEN);
	r->sequence = r->sequence ? r->sequence : c->sequence + 1;
	fill(&r->previous_hash, c->head, CHAIN_HASH_LEN);
	if (r->previous_hash.len == CHAIN_HASH_LEN)
		memcpy(c->head, r->previous_hash.data, CHAIN_HASH_LEN);
	if (r->body.len)
		chain_hash(span_of(r->body.data, r->body.len), body);
	else
		fill(&r->body_hash, body, CHAIN_HASH_LEN);
	if (!r->body.len && r->body_hash.len == CHAIN_HASH_LEN)
		memcpy(body, r->body_hash.data, CHAIN_HASH_LEN);
	c->sequence = r->sequence - 1;
	chain_append(c, body);
	fill(&r->hash, c->head, CHAIN_HASH_LEN);
}

/* What is no batch stays as it is. */
static void mend_all(struct chain *c, struct span in, struct buf *ret)
{
	Earshot__Batch *b = earshot__batch__unpack(NULL, in.len, in.p);
	auto_mem uint8_t *packed = NULL;

	if (!b) {
		must(!buf_add(ret, in));
		return;
	}
	b->schema = b->schema ? b->schema : SCHEMA;
	fill(&b->store, c->store, CHAIN_STORE_LEN);
	if (b->store.len == CHAIN_STORE_LEN && memcmp(c->store, b->store.data, CHAIN_STORE_LEN))
		chain_begin(c, b->store.data);
	for (size_t i = 0; i < b->n_revisions; i++)
		mend(c, b->revisions[i]);
	packed = malloc(earshot__batch__get_packed_size(b) + 1);
	must(packed);
	must(!buf_add(ret, span_of(packed, earshot__batch__pack(b, packed))));
	earshot__batch__free_unpacked(b, NULL);
}

/* --- what holds */

/* Up to where it was read. */
struct proof {
	uint8_t store[CHAIN_STORE_LEN], hash[CHAIN_HASH_LEN];
	uint64_t sequence, rows, stores;
};

static struct span column(sqlite3_stmt *s, int i)
{
	return span_of(sqlite3_column_blob(s, i), (size_t)sqlite3_column_bytes(s, i));
}

/* A revision is behind the one before, if they are of one store. */
static void prove_revision(struct proof *p, sqlite3_stmt *s)
{
	struct span store = column(s, 0), previous = column(s, 2), hash = column(s, 3),
		    body = column(s, 4);
	uint64_t sequence = (uint64_t)sqlite3_column_int64(s, 1);
	bool first;

	must(store.len == CHAIN_STORE_LEN && previous.len == CHAIN_HASH_LEN);
	must(hash.len == CHAIN_HASH_LEN && sequence);
	first = !p->rows || memcmp(p->store, store.p, store.len);
	must(first || sequence == p->sequence + 1);
	if (sqlite3_column_type(s, 5) == SQLITE_NULL) {
		struct chain c = { .sequence = sequence - 1 };
		uint8_t of_body[CHAIN_HASH_LEN];

		must(first || !memcmp(p->hash, previous.p, previous.len));
		memcpy(c.head, previous.p, previous.len);
		chain_hash(body, of_body);
		chain_append(&c, of_body);
		/* Of a stub the hash of its body is not kept. */
		must(!body.len || !memcmp(c.head, hash.p, hash.len));
	}
	p->rows++;
	p->stores += first;
	p->sequence = sequence;
	memcpy(p->store, store.p, store.len);
	memcpy(p->hash, hash.p, hash.len);
}

/* Of each store the chain that is known ends with its last revision. Returns how many there are. */
static uint64_t prove(void)
{
	static sqlite3_stmt *revisions, *heads;
	struct proof p = { .rows = 0 };

	if (!revisions) {
		must(!sqlite3_prepare_v2(vault->db,
					 "SELECT store, sequence, previous_hash, hash, body,"
					 " rejected FROM revision"
					 " ORDER BY store, sequence < 0, sequence",
					 -1, &revisions, NULL));
		must(!sqlite3_prepare_v2(vault->db,
					 "SELECT count(*), (SELECT count(*) FROM chain)"
					 " FROM chain JOIN revision USING (store, sequence)"
					 " WHERE hash = head",
					 -1, &heads, NULL));
	}
	while (sqlite3_step(revisions) == SQLITE_ROW)
		prove_revision(&p, revisions);
	must(!sqlite3_reset(revisions) && sqlite3_step(heads) == SQLITE_ROW);
	must((uint64_t)sqlite3_column_int64(heads, 0) == p.stores);
	must((uint64_t)sqlite3_column_int64(heads, 1) == p.stores);
	must(!sqlite3_reset(heads));
	return p.rows;
}

struct told {
	uint64_t n, rejected;
};

static void on_new(void *ctx, const Earshot__Batch *b, const Earshot__Revision *r,
		   const Earshot__Body *body, const char *why)
{
	struct told *t = ctx;

	must(b->n_revisions && r->hash.len == CHAIN_HASH_LEN);
	must(!body || (!*why && body->alert->id.len == ALERT_ID_LEN));
	t->n++;
	t->rejected += *why != 0;
}

/* Up to where it is acknowledged, 0: refused; *rows are there, and those told of more. */
static uint64_t take_batch(struct span batch, uint64_t *rows)
{
	char why[VAULT_WHY_MAX] = "";
	struct told t = { .n = 0 };
	Earshot__Ack *ack = NULL;
	int err = vault_take(vault, batch, 1, on_new, &t, &ack, why);
	uint64_t through;

	*rows += t.n;
	must(prove() == *rows);
	if (err) {
		must(err == -EBADMSG && *why && !t.n && !ack);
		return 0;
	}
	must(ack->through && ack->n_rejected <= VAULT_REJECTED_MAX);
	must(ack->n_rejected >= t.rejected);
	must(earshot__ack__get_packed_size(ack) <= ACK_BYTES_MAX);
	through = ack->through;
	vault_free_ack(ack);
	return through;
}

static void on_alert(void *ctx, const Earshot__Alert *a)
{
	must(a->id.len == ALERT_ID_LEN);
	++*(uint64_t *)ctx;
}

static void forget(void)
{
	static const char *const sql[] = { "DELETE FROM chain", "DELETE FROM revision",
					   "DELETE FROM alert" };
	static sqlite3_stmt *forgets[ARRAY_SIZE(sql)];

	for (size_t i = 0; i < ARRAY_SIZE(sql); i++) {
		must(forgets[i] || !sqlite3_prepare_v2(vault->db, sql[i], -1, &forgets[i], NULL));
		must(sqlite3_step(forgets[i]) == SQLITE_DONE && !sqlite3_reset(forgets[i]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t store[CHAIN_STORE_LEN];
	struct span in = span_sub(span_of(data, size), 1, SIZE_MAX);
	uint64_t rows = 0, alerts = 0;
	char why[VAULT_WHY_MAX];
	struct chain c;

	if (!size)
		return 0;
	must(vault || !vault_open(&vault, ":memory:", why));
	chain_begin(&c, store);
	for (size_t i = 0; i < BATCHES_MAX && in.len >= 2; i++) {
		struct span batch = span_sub(in, 2, (size_t)in.p[0] << 8 | in.p[1]);
		struct buf sent = BUF(MENDED_MAX);
		uint64_t through, before;

		in = span_sub(in, 2 + batch.len, SIZE_MAX);
		if (data[0] == 'm')
			mend_all(&c, batch, &sent);
		else
			must(!buf_add(&sent, batch));
		through = take_batch(buf_span(&sent), &rows);
		/* An Ack that was lost: the same again is no news. */
		before = rows;
		must(take_batch(buf_span(&sent), &rows) == through && rows == before);
		buf_free(&sent);
	}
	must(!vault_alerts(vault, ALERTS_MAX, on_alert, &alerts) && alerts <= rows);
	if (rows)
		forget();
	return 0;
}
