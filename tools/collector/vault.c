/* tools/collector/vault.c - what the collector keeps. */
#include "tools/collector/vault.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "alert/chain.h"
#include "base/own.h"

#define SCHEMA	     1
#define ALERT_ID_LEN 16

enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_CHAIN,
	SQL_SET_CHAIN,
	SQL_REVISION,
	SQL_ADD,
	SQL_SET_ALERT,
	SQL_ALERTS,
	SQL_MAX_
};

static const char *const sqls[SQL_MAX_] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_CHAIN] = "SELECT sequence, head FROM chain WHERE store = ?1",
	[SQL_SET_CHAIN] = "INSERT INTO chain (store, sequence, head, host, received_ns) VALUES "
			  "(?1, ?2, ?3, ?4, ?5)"
			  " ON CONFLICT (store) DO UPDATE SET sequence = ?2, head = ?3, host = ?4, "
			  "received_ns = ?5",
	[SQL_REVISION] = "SELECT hash, rejected FROM revision WHERE store = ?1 AND sequence = ?2",
	[SQL_ADD] = "INSERT INTO revision (store, sequence, previous_hash, hash, body, rejected, "
		    "received_ns)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_SET_ALERT] = "INSERT INTO alert (id, store, sequence) VALUES (?1, ?2, ?3)"
			  " ON CONFLICT (id) DO UPDATE SET sequence = ?3 WHERE store = ?2",
	[SQL_ALERTS] = "SELECT body FROM alert JOIN revision USING (store, sequence)"
		       " ORDER BY received_ns DESC, sequence DESC LIMIT ?1",
};

static const char schema[] = "PRAGMA journal_mode = WAL;"
			     "PRAGMA synchronous = FULL;" /* an Ack is a promise */
			     "CREATE TABLE IF NOT EXISTS chain (store BLOB PRIMARY KEY, sequence "
			     "INTEGER NOT NULL, head BLOB NOT NULL,"
			     " host TEXT NOT NULL, received_ns INTEGER NOT NULL) WITHOUT ROWID;"
			     "CREATE TABLE IF NOT EXISTS revision (store BLOB NOT NULL, sequence "
			     "INTEGER NOT NULL, previous_hash BLOB NOT NULL,"
			     " hash BLOB NOT NULL, body BLOB, rejected TEXT, received_ns INTEGER "
			     "NOT NULL, PRIMARY KEY (store, sequence)) WITHOUT ROWID;"
			     "CREATE TABLE IF NOT EXISTS alert (id BLOB PRIMARY KEY, store BLOB "
			     "NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;";

struct vault {
	pthread_mutex_t lock;
	sqlite3 *db;
	sqlite3_stmt *sql[SQL_MAX_];
};

void vault_close(struct vault **v)
{
	if (!*v)
		return;
	for (size_t i = 0; i < SQL_MAX_; i++)
		sqlite3_finalize((*v)->sql[i]);
	sqlite3_close((*v)->db);
	pthread_mutex_destroy(&(*v)->lock);
	free(*v);
	*v = NULL;
}

#define auto_vault __attribute__((cleanup(vault_close)))

static int set_up(struct vault *v)
{
	sqlite3_stmt *version = NULL;
	char mark[64];
	int have = -1;

	if (sqlite3_prepare_v2(v->db, "PRAGMA user_version", -1, &version, NULL) == SQLITE_OK &&
	    sqlite3_step(version) == SQLITE_ROW)
		have = sqlite3_column_int(version, 0);
	sqlite3_finalize(version);
	if (have != 0 && have != SCHEMA)
		return -EIO;
	snprintf(mark, sizeof(mark), "PRAGMA user_version = %d", SCHEMA);
	if (sqlite3_exec(v->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(v->db, mark, NULL, NULL, NULL) != SQLITE_OK)
		return -EIO;
	for (size_t i = 0; i < SQL_MAX_; i++)
		if (sqlite3_prepare_v3(v->db, sqls[i], -1, SQLITE_PREPARE_PERSISTENT, &v->sql[i],
				       NULL) != SQLITE_OK)
			return -EIO;
	return 0;
}

int vault_open(struct vault **ret, const char *path, char why[VAULT_WHY_MAX])
{
	auto_vault struct vault *v = calloc(1, sizeof(*v));
	auto_mem char *file = NULL;
	struct stat st;
	int err;

	if (!v)
		return -ENOMEM;
	pthread_mutex_init(&v->lock, NULL);
	if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
		if (asprintf(&file, "%s/alerts.db", path) < 0) {
			file = NULL;
			return -ENOMEM;
		}
		path = file;
	}
	err = sqlite3_open_v2(path, &v->db,
			      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			      NULL) == SQLITE_OK
		  ? set_up(v)
		  : -EIO;
	if (err) {
		const char *text = sqlite3_errcode(v->db)
				       ? sqlite3_errmsg(v->db)
				       : "it is of another version of this program";

		snprintf(why, VAULT_WHY_MAX, "%s: %s", path, text);
		return err;
	}
	*ret = steal(v);
	return 0;
}

/* --- statements: bind by position, step, reset */

static void bind_blob(sqlite3_stmt *s, int at, const void *p, size_t len)
{
	sqlite3_bind_blob64(s, at, p, len, SQLITE_STATIC);
}

/* For statements without rows. 0, -EIO. */
static int run(sqlite3_stmt *s)
{
	int got = sqlite3_step(s);

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return got == SQLITE_DONE ? 0 : -EIO;
}

/* --- taking a batch */

struct taking {
	struct vault *v;
	const Earshot__Batch *batch;
	uint64_t now_ns;
	struct chain chain;
	Earshot__Ack *ack;
	/* Per revision, for the caller's vault_fn after the commit. */
	struct taken {
		bool fresh;
		Earshot__Body *body;
		char why[VAULT_WHY_MAX];
	} * taken;
};

void vault_free_ack(Earshot__Ack *a)
{
	if (a)
		earshot__ack__free_unpacked(a, NULL);
}

static int reject(Earshot__Ack *ack, uint64_t sequence, const char *why)
{
	Earshot__Ack__Rejected *x = malloc(sizeof(*x));
	void *p = x ? reallocarray(ack->rejected, ack->n_rejected + 1, sizeof(x)) : NULL;

	if (p)
		ack->rejected = p;
	if (!p) {
		free(x);
		return -ENOMEM;
	}
	earshot__ack__rejected__init(x);
	x->sequence = sequence;
	x->reason = strdup(why);
	if (!x->reason) {
		free(x);
		return -ENOMEM;
	}
	ack->rejected[ack->n_rejected++] = x;
	return 0;
}

/* 1: this store is known; 0: it is new. */
static int load_chain(struct taking *t)
{
	sqlite3_stmt *s = t->v->sql[SQL_CHAIN];
	int got, ret = -EIO;

	chain_begin(&t->chain, t->batch->store.data);
	bind_blob(s, 1, t->batch->store.data, t->batch->store.len);
	got = sqlite3_step(s);
	if (got == SQLITE_DONE) {
		ret = 0;
	} else if (got == SQLITE_ROW && sqlite3_column_bytes(s, 1) == CHAIN_HASH_LEN) {
		t->chain.sequence = (uint64_t)sqlite3_column_int64(s, 0);
		memcpy(t->chain.head, sqlite3_column_blob(s, 1), CHAIN_HASH_LEN);
		ret = 1;
	}
	sqlite3_reset(s);
	return ret;
}

static int save_chain(const struct taking *t)
{
	sqlite3_stmt *s = t->v->sql[SQL_SET_CHAIN];

	bind_blob(s, 1, t->chain.store, CHAIN_STORE_LEN);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)t->chain.sequence);
	bind_blob(s, 3, t->chain.head, CHAIN_HASH_LEN);
	sqlite3_bind_text(s, 4, t->batch->host, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 5, (sqlite3_int64)t->now_ns);
	return run(s);
}

/* A revision of a number that was there before: the same again, or another one in its place? */
static int check_repeated(struct taking *t, const Earshot__Revision *r)
{
	sqlite3_stmt *s = t->v->sql[SQL_REVISION];
	int got, err = 0;

	bind_blob(s, 1, r->store.data, r->store.len);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)r->sequence);
	got = sqlite3_step(s);
	if (got == SQLITE_ROW) {
		struct span had =
		    span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
		const char *rejected = (const char *)sqlite3_column_text(s, 1);

		if (rejected)
			err = reject(t->ack, r->sequence, rejected);
		else if (!span_eq(had, span_of(r->hash.data, r->hash.len)))
			err = reject(t->ack, r->sequence,
				     "another revision of this number is stored");
	} else if (got == SQLITE_DONE) {
		err = reject(t->ack, r->sequence, "older than the first revision stored");
	} else {
		err = -EIO;
	}
	sqlite3_reset(s);
	return err;
}

static int add(struct taking *t, const Earshot__Revision *r, const struct taken *k)
{
	sqlite3_stmt *s = t->v->sql[SQL_ADD];
	int err;

	bind_blob(s, 1, r->store.data, r->store.len);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)r->sequence);
	bind_blob(s, 3, r->previous_hash.data, r->previous_hash.len);
	bind_blob(s, 4, r->hash.data, r->hash.len);
	if (r->body.len)
		bind_blob(s, 5, r->body.data, r->body.len);
	if (*k->why)
		sqlite3_bind_text(s, 6, k->why, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 7, (sqlite3_int64)t->now_ns);
	err = run(s);
	if (err || !k->body)
		return err;
	s = t->v->sql[SQL_SET_ALERT];
	bind_blob(s, 1, k->body->alert->id.data, k->body->alert->id.len);
	bind_blob(s, 2, r->store.data, r->store.len);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)r->sequence);
	return run(s);
}

static Earshot__Body *read_body(const Earshot__Revision *r)
{
	Earshot__Body *b = earshot__body__unpack(NULL, r->body.len, r->body.data);

	if (b && b->alert && b->alert->id.len == ALERT_ID_LEN)
		return b;
	if (b)
		earshot__body__free_unpacked(b, NULL);
	return NULL;
}

/* One revision. 1: go on; 0: it does not follow on what is stored, so the batch ends before it. */
static int take_one(struct taking *t, size_t i, char why[VAULT_WHY_MAX])
{
	const Earshot__Revision *r = t->batch->revisions[i];
	struct taken *k = &t->taken[i];
	int err = chain_verify(&t->chain, r);

	switch (err) {
	case 0:
		if (r->body.len) {
			k->body = read_body(r);
			if (!k->body)
				snprintf(k->why, sizeof(k->why), "its body is no alert");
		}
		break;
	case -EILSEQ:
		snprintf(k->why, sizeof(k->why), "its hash does not prove its place in the chain");
		/* What follows is judged by this revision's own claim. */
		err = chain_join(&t->chain, r);
		if (err)
			return err;
		t->chain.sequence = r->sequence;
		memcpy(t->chain.head, r->hash.data, CHAIN_HASH_LEN);
		break;
	case -EALREADY:
		err = check_repeated(t, r);
		return err ? err : 1;
	case -ENODATA:
		return 0;
	default:
		snprintf(why, VAULT_WHY_MAX, "revision %llu is malformed or of another store",
			 (unsigned long long)r->sequence);
		return -EBADMSG;
	}
	if (*k->why) {
		err = reject(t->ack, r->sequence, k->why);
		if (err)
			return err;
	}
	k->fresh = true;
	err = add(t, r, k);
	return err ? err : 1;
}

static int take_all(struct taking *t, char why[VAULT_WHY_MAX])
{
	int err = load_chain(t);

	if (err < 0)
		return err;
	/* A sensor may have run without an upstream, or with another one: its first batch here
	 * begins where it begins, but in its own chain. */
	if (!err && (chain_join(&t->chain, t->batch->revisions[0]) ||
		     memcmp(t->chain.store, t->batch->store.data, CHAIN_STORE_LEN))) {
		snprintf(why, VAULT_WHY_MAX, "the first revision is malformed or of another store");
		return -EBADMSG;
	}
	for (size_t i = 0; i < t->batch->n_revisions && t->ack->n_rejected < VAULT_REJECTED_MAX;
	     i++) {
		err = take_one(t, i, why);
		if (err <= 0)
			break;
	}
	if (err < 0)
		return err;
	t->ack->through = t->chain.sequence;
	return save_chain(t);
}

static const char *what_is_wrong(const Earshot__Batch *b)
{
	if (!b)
		return "not a protobuf Batch";
	if (b->schema != SCHEMA)
		return "a batch of another schema";
	if (b->store.len != CHAIN_STORE_LEN)
		return "a batch without the id of its store";
	if (b->n_revisions > VAULT_REVISIONS_MAX)
		return "a batch of too many revisions";
	return b->n_revisions ? NULL : "an empty batch";
}

static int take(struct taking *t, char why[VAULT_WHY_MAX])
{
	struct vault *v = t->v;
	int err = run(v->sql[SQL_BEGIN]);

	if (!err) {
		err = take_all(t, why);
		if (!err)
			err = run(v->sql[SQL_COMMIT]);
		if (err)
			run(v->sql[SQL_ROLLBACK]);
	}
	if (err == -EIO)
		snprintf(why, VAULT_WHY_MAX, "%s", sqlite3_errmsg(v->db));
	return err;
}

int vault_take(struct vault *v, struct span batch, uint64_t now_ns, vault_fn *fn, void *ctx,
	       Earshot__Ack **ret, char why[VAULT_WHY_MAX])
{
	Earshot__Batch *b = earshot__batch__unpack(NULL, batch.len, batch.p);
	struct taking t = { .v = v, .batch = b, .now_ns = now_ns };
	const char *wrong = what_is_wrong(b);
	int err = -EBADMSG;

	*why = 0;
	if (wrong) {
		snprintf(why, VAULT_WHY_MAX, "%s", wrong);
		goto out;
	}
	err = -ENOMEM;
	t.taken = calloc(b->n_revisions, sizeof(*t.taken));
	t.ack = malloc(sizeof(*t.ack));
	if (!t.taken || !t.ack)
		goto out;
	earshot__ack__init(t.ack);
	pthread_mutex_lock(&v->lock);
	err = take(&t, why);
	for (size_t i = 0; !err && i < b->n_revisions; i++)
		if (t.taken[i].fresh)
			fn(ctx, b, b->revisions[i], t.taken[i].body, t.taken[i].why);
	pthread_mutex_unlock(&v->lock);
	if (!err)
		*ret = steal(t.ack);
out:
	for (size_t i = 0; t.taken && i < b->n_revisions; i++)
		if (t.taken[i].body)
			earshot__body__free_unpacked(t.taken[i].body, NULL);
	free(t.taken);
	vault_free_ack(t.ack);
	if (b)
		earshot__batch__free_unpacked(b, NULL);
	return err;
}

int vault_alerts(struct vault *v, unsigned limit, vault_alert_fn *fn, void *ctx)
{
	sqlite3_stmt *s = v->sql[SQL_ALERTS];
	int got;

	pthread_mutex_lock(&v->lock);
	sqlite3_bind_int64(s, 1, limit);
	while ((got = sqlite3_step(s)) == SQLITE_ROW) {
		Earshot__Body *b = earshot__body__unpack(NULL, (size_t)sqlite3_column_bytes(s, 0),
							 sqlite3_column_blob(s, 0));

		if (b && b->alert)
			fn(ctx, b->alert);
		if (b)
			earshot__body__free_unpacked(b, NULL);
	}
	sqlite3_reset(s);
	pthread_mutex_unlock(&v->lock);
	return got == SQLITE_DONE ? 0 : -EIO;
}
