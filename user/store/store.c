/* user/store/store.c - the SQLite file. */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"

#define SCHEMA_VERSION 1
#define VERIFY_AT_OPEN 1000 /* newest revisions proved at every start */
#define EPOCHS_MAX     256

static const char schema[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE epoch (row INTEGER PRIMARY KEY, boot BLOB NOT NULL, epoch INTEGER NOT NULL,"
    " committed INTEGER NOT NULL, UNIQUE (boot, epoch));"
    /* AUTOINCREMENT: a key or turn of an alert that is gone must not lead to a later one. */
    "CREATE TABLE alert (row INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,"
    " kind TEXT NOT NULL, mode INTEGER NOT NULL, severity INTEGER NOT NULL, status INTEGER NOT "
    "NULL,"
    " last_ns INTEGER NOT NULL, revision INTEGER NOT NULL, revised_ns INTEGER NOT NULL,"
    " dirty INTEGER NOT NULL, pending BLOB NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL);"
    "CREATE INDEX alert_time ON alert (last_ns, mode, severity, status, kind);"
    "CREATE INDEX alert_dirty ON alert (revised_ns) WHERE dirty;"
    "CREATE TABLE merge_key (key BLOB PRIMARY KEY, alert INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX merge_key_alert ON merge_key (alert);"
    "CREATE TABLE turn (row INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,"
    " exchange INTEGER NOT NULL, alert INTEGER NOT NULL, UNIQUE (epoch, exchange, alert));"
    "CREATE TABLE revision (sequence INTEGER PRIMARY KEY, previous BLOB NOT NULL,"
    " hash BLOB NOT NULL, body_hash BLOB NOT NULL, body BLOB NOT NULL);"
    "CREATE TABLE outbox (sequence INTEGER PRIMARY KEY, stub INTEGER NOT NULL);"
    "CREATE TABLE rejected (sequence INTEGER PRIMARY KEY, reason TEXT NOT NULL);";

#define ALERT_COLUMNS "row, revision, revised_ns, dirty, pending, body, hash"

enum query {
	Q_BEGIN,
	Q_COMMIT,
	Q_ROLLBACK,
	Q_META_GET,
	Q_META_PUT,
	Q_COUNTS,
	Q_EPOCH_GET,
	Q_EPOCH_ADD,
	Q_EPOCH_PRUNE,
	Q_EPOCH_COMMIT,
	Q_ALERT_GET,
	Q_ALERT_BY_KEY,
	Q_ALERT_BY_ID,
	Q_ALERT_PUT,
	Q_ALERT_DROP,
	Q_ALERT_KEY,
	Q_ALERTS_DIRTY,
	Q_ALERTS_FIND,
	Q_ALERTS_OPEN,
	Q_TURN_ADD,
	Q_TURN_ALERTS,
	Q_TURN_END,
	Q_REVISION_ADD,
	Q_REVISIONS,
	Q_OUTBOX_ADD,
	Q_OUTBOX_NEXT,
	Q_OUTBOX_SHIPPED,
	Q_OUTBOX_DROP,
	Q_REJECTED_ADD,
	Q_PRUNE_ALERTS,
	Q_PRUNE_KEYS,
	Q_PRUNE_TURNS,
	Q_PRUNE_OLD_TURNS,
	Q_PRUNE_REVISIONS,
	Q_PRUNE_REJECTED,
	Q_MAX_,
};

static const char *const sql[] = {
	[Q_BEGIN] = "BEGIN IMMEDIATE",
	[Q_COMMIT] = "COMMIT",
	[Q_ROLLBACK] = "ROLLBACK",
	[Q_META_GET] = "SELECT value FROM meta WHERE name = ?",
	[Q_META_PUT] = "INSERT OR REPLACE INTO meta VALUES (?, ?)",
	[Q_COUNTS] = "SELECT (SELECT count(*) FROM alert), (SELECT count(*) FROM outbox)",
	[Q_EPOCH_GET] = "SELECT row, committed FROM epoch WHERE boot = ? AND epoch = ?",
	[Q_EPOCH_ADD] = "INSERT INTO epoch (boot, epoch, committed) VALUES (?, ?, 0)",
	[Q_EPOCH_PRUNE] = "DELETE FROM epoch WHERE row <= (SELECT max(row) FROM epoch) - ?",
	[Q_EPOCH_COMMIT] = "UPDATE epoch SET committed = ? WHERE row = ?",
	[Q_ALERT_GET] = "SELECT " ALERT_COLUMNS " FROM alert WHERE row = ?",
	[Q_ALERT_BY_KEY] =
	    "SELECT " ALERT_COLUMNS
	    " FROM alert WHERE row = (SELECT alert FROM merge_key WHERE key = ?) AND last_ns >= ?",
	[Q_ALERT_BY_ID] =
	    "SELECT " ALERT_COLUMNS " FROM alert WHERE hex(id) GLOB upper(?) || '*' LIMIT 2",
	[Q_ALERT_PUT] = "INSERT OR REPLACE INTO alert (row, id, kind, mode, severity, status, "
			"last_ns, revision,"
			" revised_ns, dirty, pending, body, hash)"
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[Q_ALERT_DROP] = "DELETE FROM alert WHERE row = ?",
	[Q_ALERT_KEY] = "INSERT OR REPLACE INTO merge_key VALUES (?, ?)",
	[Q_ALERTS_DIRTY] = "SELECT row FROM alert WHERE dirty AND revised_ns NOT BETWEEN ? AND ?"
			   " ORDER BY revised_ns LIMIT ?",
	[Q_ALERTS_FIND] = "SELECT row FROM alert WHERE last_ns >= ? AND severity >= ? AND mode <= ?"
			  " AND (?4 = '' OR kind = ?4"
			  " OR (substr(?4, -1) = '.' AND substr(kind, 1, length(?4)) = ?4))"
			  " ORDER BY last_ns DESC, row DESC LIMIT ?5",
	[Q_ALERTS_OPEN] = "SELECT count(*) FROM alert WHERE mode = 0 AND status != ?",
	[Q_TURN_ADD] = "INSERT OR IGNORE INTO turn (epoch, exchange, alert) VALUES (?, ?, ?)",
	[Q_TURN_ALERTS] = "SELECT alert FROM turn WHERE epoch = ? AND exchange = ? LIMIT ?",
	[Q_TURN_END] = "DELETE FROM turn WHERE epoch = ? AND exchange = ?",
	[Q_REVISION_ADD] = "INSERT INTO revision VALUES (?, ?, ?, ?, ?)",
	[Q_REVISIONS] = "SELECT sequence, previous, hash, body_hash, body FROM revision"
			" WHERE sequence > ? ORDER BY sequence",
	[Q_OUTBOX_ADD] = "INSERT INTO outbox VALUES (?, ?)",
	[Q_OUTBOX_NEXT] = "SELECT sequence, previous, hash, body_hash, body, stub"
			  " FROM outbox JOIN revision USING (sequence) ORDER BY sequence",
	[Q_OUTBOX_SHIPPED] = "DELETE FROM outbox WHERE sequence <= ?",
	[Q_OUTBOX_DROP] = "DELETE FROM outbox WHERE sequence = ?",
	[Q_REJECTED_ADD] = "INSERT OR REPLACE INTO rejected VALUES (?, ?)",
	[Q_PRUNE_ALERTS] = "DELETE FROM alert WHERE row IN"
			   " (SELECT row FROM alert ORDER BY mode DESC, last_ns LIMIT ?)",
	[Q_PRUNE_KEYS] = "DELETE FROM merge_key WHERE alert NOT IN (SELECT row FROM alert)",
	[Q_PRUNE_TURNS] = "DELETE FROM turn WHERE alert NOT IN (SELECT row FROM alert)",
	[Q_PRUNE_OLD_TURNS] = "DELETE FROM turn WHERE row <= (SELECT max(row) FROM turn) - ?",
	[Q_PRUNE_REVISIONS] =
	    "DELETE FROM revision WHERE sequence <= ?"
	    " AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.sequence = revision.sequence)",
	[Q_PRUNE_REJECTED] = "DELETE FROM rejected WHERE sequence NOT IN"
			     " (SELECT sequence FROM rejected ORDER BY sequence DESC LIMIT ?)",
};
static_assert(ARRAY_SIZE(sql) == Q_MAX_, "query without text");

/* What is kept in memory beside the file; a rollback restores it. */
struct state {
	struct chain chain;
	uint64_t n_alerts, n_outbox;
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *st[Q_MAX_];
	struct state now, begun;
};

static int error_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR:	/* a table is missing or different */
	case SQLITE_CONSTRAINT: /* what must be new is there */
		return -EBADMSG;
	default:
		return -EIO;
	}
}

/* Binds by format: i integer, b span, s text. */
static sqlite3_stmt *bind(struct store *s, enum query q, const char *format, ...)
{
	sqlite3_stmt *st = s->st[q];
	va_list args;

	sqlite3_reset(st);
	va_start(args, format);
	for (int i = 1; format[i - 1]; i++) {
		struct span b;

		switch (format[i - 1]) {
		case 'i':
			sqlite3_bind_int64(st, i, va_arg(args, int64_t));
			break;
		case 's':
			sqlite3_bind_text(st, i, va_arg(args, const char *), -1, SQLITE_STATIC);
			break;
		default:
			b = va_arg(args, struct span);
			/* An empty blob must not become NULL. */
			sqlite3_bind_blob64(st, i, b.p ? (const void *)b.p : "", b.len,
					    SQLITE_STATIC);
		}
	}
	va_end(args);
	return st;
}

/* Ends a statement and lets go of what was bound. */
static int done(sqlite3_stmt *st)
{
	int rc = sqlite3_reset(st);

	sqlite3_clear_bindings(st);
	return error_of(rc);
}

/* For statements without rows. */
static int run(sqlite3_stmt *st)
{
	sqlite3_step(st);
	return done(st);
}

/* 1 row, 0 no more, -errno. */
static int next(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	return rc == SQLITE_ROW ? 1 : error_of(rc);
}

static struct span column(sqlite3_stmt *st, int i)
{
	const void *p = sqlite3_column_blob(st, i);

	return span_of(p, p ? (size_t)sqlite3_column_bytes(st, i) : 0);
}

/* Collects the only column of all rows. */
static ssize_t rows_of(sqlite3_stmt *st, int64_t *rows, size_t max)
{
	size_t n = 0;
	int more, err;

	while ((more = next(st)) > 0 && n < max)
		rows[n++] = sqlite3_column_int64(st, 0);
	err = done(st);
	return more < 0 ? more : err ? err : (ssize_t)n;
}

/* --- opening */

static int meta_get(struct store *s, const char *name, void *ret, size_t len)
{
	sqlite3_stmt *st = bind(s, Q_META_GET, "s", name);
	int found = next(st);

	if (found > 0) {
		struct span v = column(st, 0);

		if (v.len == len)
			memcpy(ret, v.p, len);
		else
			found = -EBADMSG;
	}
	done(st);
	return found ? (found < 0 ? found : 0) : -EBADMSG;
}

static int meta_put(struct store *s, const char *name, const void *p, size_t len)
{
	return run(bind(s, Q_META_PUT, "sb", name, span_of(p, len)));
}

static int exec(struct store *s, const char *text)
{
	return error_of(sqlite3_exec(s->db, text, NULL, NULL, NULL));
}

static int prepare(struct store *s)
{
	for (int i = 0; i < Q_MAX_; i++) {
		int rc = sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->st[i],
					    NULL);

		if (rc != SQLITE_OK)
			return error_of(rc);
	}
	return 0;
}

/* The only row and column of a query. */
static int scalar(struct store *s, const char *text, int64_t *ret_int, char *ret_text, size_t size)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, text, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && ret_int)
		*ret_int = sqlite3_column_int64(st, 0);
	if (rc == SQLITE_ROW && ret_text)
		snprintf(ret_text, size, "%s", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -EBADMSG : error_of(rc);
}

static int create(struct store *s)
{
	uint8_t id[CHAIN_STORE_LEN];
	char version[64];
	int err;

	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		return -errno;
	snprintf(version, sizeof(version), "PRAGMA user_version = %d", SCHEMA_VERSION);
	chain_begin(&s->now.chain, id);
	if ((err = exec(s, "BEGIN IMMEDIATE")) || (err = exec(s, schema)) ||
	    (err = exec(s, version)) || (err = prepare(s)) ||
	    (err = meta_put(s, "chain", &s->now.chain, sizeof(s->now.chain))))
		return err;
	return exec(s, "COMMIT");
}

static int load(struct store *s)
{
	sqlite3_stmt *st;
	char verdict[16];
	int err;

	err = scalar(s, "PRAGMA quick_check(1)", NULL, verdict, sizeof(verdict));
	if (err)
		return err;
	if (strcmp(verdict, "ok"))
		return -EBADMSG;
	if ((err = prepare(s)) || (err = meta_get(s, "chain", &s->now.chain, sizeof(s->now.chain))))
		return err;
	st = bind(s, Q_COUNTS, "");
	err = next(st);
	s->now.n_alerts = (uint64_t)sqlite3_column_int64(st, 0);
	s->now.n_outbox = (uint64_t)sqlite3_column_int64(st, 1);
	done(st);
	return err < 0 ? err : store_verify(s, VERIFY_AT_OPEN);
}

static int open_file(struct store **ret, const char *path)
{
	auto_free(store) struct store *s = calloc(1, sizeof(*s));
	int64_t version = 0;
	char setup[512];
	int err;

	if (!s)
		return -ENOMEM;
	err = error_of(sqlite3_open_v2(
	    path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
	if (err)
		return err;
	/* The file may be hostile by now: no code of its schema runs, no page lies about its cells.
	 * Exclusive locking keeps the log's index in memory instead of a shared file. */
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, 1 << 20);
	snprintf(setup, sizeof(setup),
		 "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON; PRAGMA temp_store "
		 "= MEMORY;"
		 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA mmap_size = 0;"
		 "PRAGMA journal_size_limit = 4194304; PRAGMA max_page_count = %lld;",
		 STORE_BYTES_MAX / 4096);
	if ((err = exec(s, setup)) || (err = scalar(s, "PRAGMA user_version", &version, NULL, 0)))
		return err;
	if (version > SCHEMA_VERSION)
		return -EPROTO;
	err = version ? load(s) : create(s);
	if (err)
		return err;
	*ret = steal(s);
	return 0;
}

static int set_aside(const char *path, uint64_t wall_ns, char aside[64])
{
	static const char *const parts[] = { "-wal", "-journal", "" };
	time_t t = (time_t)(wall_ns / NS_PER_SEC);
	char stamp[32], from[192], to[192];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(aside, 64, "%s.corrupt-%s", path, stamp);
	/* The log first: beside a new file it would be replayed into it. */
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		snprintf(from, sizeof(from), "%s%s", path, parts[i]);
		snprintf(to, sizeof(to), "%s%s", aside, parts[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

int store_open(struct store **ret, const char *path, uint64_t wall_ns, char aside[64])
{
	int err = open_file(ret, path);

	aside[0] = 0;
	if (err != -EBADMSG)
		return err;
	err = set_aside(path, wall_ns, aside);
	return err ? err : open_file(ret, path);
}

void store_free(struct store **s)
{
	if (!*s)
		return;
	for (int i = 0; i < Q_MAX_; i++)
		sqlite3_finalize((*s)->st[i]);
	sqlite3_close((*s)->db);
	free(*s);
	*s = NULL;
}

/* --- transactions */

int store_begin(struct store *s)
{
	s->begun = s->now;
	return run(bind(s, Q_BEGIN, ""));
}

void store_rollback(struct store *s)
{
	s->now = s->begun;
	/* SQLite may have rolled back by itself. */
	if (!sqlite3_get_autocommit(s->db))
		run(bind(s, Q_ROLLBACK, ""));
}

int store_commit(struct store *s)
{
	int err = 0;

	/* The head of the chain belongs to the same transaction as what it proves. */
	if (memcmp(&s->now.chain, &s->begun.chain, sizeof(s->now.chain)))
		err = meta_put(s, "chain", &s->now.chain, sizeof(s->now.chain));
	if (!err)
		err = run(bind(s, Q_COMMIT, ""));
	if (err)
		store_rollback(s);
	return err;
}

const struct chain *store_chain(const struct store *s)
{
	return &s->now.chain;
}

uint64_t store_alerts(const struct store *s)
{
	return s->now.n_alerts;
}

uint64_t store_outbox(const struct store *s)
{
	return s->now.n_outbox;
}

/* --- epochs */

int store_epoch(struct store *s, struct span boot, uint64_t epoch, int64_t *ret_row,
		uint64_t *ret_committed)
{
	sqlite3_stmt *st = bind(s, Q_EPOCH_GET, "bi", boot, (int64_t)epoch);
	int found = next(st), err;

	*ret_row = sqlite3_column_int64(st, 0);
	*ret_committed = (uint64_t)sqlite3_column_int64(st, 1);
	done(st);
	if (found)
		return found < 0 ? found : 0;
	err = run(bind(s, Q_EPOCH_ADD, "bi", boot, (int64_t)epoch));
	*ret_row = sqlite3_last_insert_rowid(s->db);
	*ret_committed = 0;
	return err ? err : run(bind(s, Q_EPOCH_PRUNE, "i", (int64_t)EPOCHS_MAX));
}

int store_epoch_commit(struct store *s, int64_t row, uint64_t number)
{
	return run(bind(s, Q_EPOCH_COMMIT, "ii", (int64_t)number, row));
}

/* --- alerts */

void stored_alert_free(struct stored_alert *a)
{
	if (a->alert)
		earshot__alert__free_unpacked(a->alert, NULL);
	if (a->pending)
		earshot__body__free_unpacked(a->pending, NULL);
	*a = (struct stored_alert){ 0 };
}

/* The row st stands on. 1 or -errno. */
static int read_alert(sqlite3_stmt *st, struct stored_alert *ret)
{
	struct span pending = column(st, 4), body = column(st, 5);
	uint8_t hash[CHAIN_HASH_LEN];

	*ret = (struct stored_alert){
		.row = sqlite3_column_int64(st, 0),
		.revision = (uint32_t)sqlite3_column_int64(st, 1),
		.revised_ns = (uint64_t)sqlite3_column_int64(st, 2),
		.dirty = sqlite3_column_int64(st, 3),
	};
	chain_hash(body, hash);
	if (!span_eq(column(st, 6), span_of(hash, sizeof(hash))))
		return -EBADMSG;
	ret->pending = earshot__body__unpack(NULL, pending.len, pending.p);
	ret->alert = earshot__alert__unpack(NULL, body.len, body.p);
	if (!ret->pending || !ret->alert) {
		stored_alert_free(ret);
		return -ENOMEM; /* the hash says that the bytes are ours */
	}
	return 1;
}

static int one_alert(sqlite3_stmt *st, struct stored_alert *ret)
{
	int found = next(st);

	*ret = (struct stored_alert){ 0 };
	if (found > 0)
		found = read_alert(st, ret);
	done(st);
	return found;
}

int store_alert_get(struct store *s, int64_t row, struct stored_alert *ret)
{
	return one_alert(bind(s, Q_ALERT_GET, "i", row), ret);
}

int store_alert_by_key(struct store *s, const uint8_t key[MERGE_KEY_LEN], uint64_t since_ns,
		       struct stored_alert *ret)
{
	return one_alert(
	    bind(s, Q_ALERT_BY_KEY, "bi", span_of(key, MERGE_KEY_LEN), (int64_t)since_ns), ret);
}

int store_alert_by_id(struct store *s, const char *hex, struct stored_alert *ret)
{
	sqlite3_stmt *st = bind(s, Q_ALERT_BY_ID, "s", hex);
	int found = next(st);

	*ret = (struct stored_alert){ 0 };
	if (found > 0)
		found = read_alert(st, ret);
	if (found > 0 && next(st) > 0) {
		stored_alert_free(ret);
		found = -EEXIST;
	}
	done(st);
	return found;
}

int store_alert_put(struct store *s, struct stored_alert *a)
{
	const Earshot__Alert *b = a->alert;
	size_t len = earshot__alert__get_packed_size(b),
	       pending_len = earshot__body__get_packed_size(a->pending);
	auto_mem uint8_t *body = malloc(len + pending_len);
	uint8_t hash[CHAIN_HASH_LEN], *pending;
	sqlite3_stmt *st;
	int err;

	if (!body)
		return -ENOMEM;
	pending = body + len;
	earshot__alert__pack(b, body);
	earshot__body__pack(a->pending, pending);
	chain_hash(span_of(body, len), hash);
	st = bind(s, Q_ALERT_PUT, "ibsiiiiiiibbb", a->row, span_of(b->id.data, b->id.len), b->kind,
		  (int64_t)b->mode, (int64_t)b->severity, (int64_t)b->status,
		  (int64_t)b->last_seen_ns, (int64_t)a->revision, (int64_t)a->revised_ns,
		  (int64_t)a->dirty, span_of(pending, pending_len), span_of(body, len),
		  span_of(hash, sizeof(hash)));
	if (!a->row)
		sqlite3_bind_null(st, 1);
	err = run(st);
	if (!err && !a->row) {
		a->row = sqlite3_last_insert_rowid(s->db);
		s->now.n_alerts++;
	}
	return err;
}

int store_alert_drop(struct store *s, int64_t row)
{
	int err = run(bind(s, Q_ALERT_DROP, "i", row));

	if (!err)
		s->now.n_alerts -= (uint64_t)sqlite3_changes64(s->db);
	return err;
}

int store_alert_key(struct store *s, const uint8_t key[MERGE_KEY_LEN], int64_t row)
{
	return run(bind(s, Q_ALERT_KEY, "bi", span_of(key, MERGE_KEY_LEN), row));
}

ssize_t store_alerts_dirty(struct store *s, uint64_t from_ns, uint64_t now_ns, int64_t *rows,
			   size_t max)
{
	return rows_of(
	    bind(s, Q_ALERTS_DIRTY, "iii", (int64_t)from_ns, (int64_t)now_ns, (int64_t)max), rows,
	    max);
}

ssize_t store_alerts_find(struct store *s, const struct store_query *q, int64_t *rows, size_t max)
{
	return rows_of(bind(s, Q_ALERTS_FIND, "iiisi", (int64_t)q->since_ns,
			    (int64_t)q->min_severity, (int64_t)(q->hunt ? MODE_HUNT : MODE_ALERT),
			    q->kind, (int64_t)MIN((size_t)q->limit, max)),
		       rows, max);
}

int store_alerts_open(struct store *s, uint64_t *ret)
{
	sqlite3_stmt *st = bind(s, Q_ALERTS_OPEN, "i", (int64_t)EARSHOT__STATUS__STATUS_CLOSED);
	int found = next(st);

	*ret = (uint64_t)sqlite3_column_int64(st, 0);
	done(st);
	return found < 0 ? found : 0;
}

/* --- turns */

int store_turn_add(struct store *s, int64_t epoch, uint64_t exchange, int64_t alert)
{
	return run(bind(s, Q_TURN_ADD, "iii", epoch, (int64_t)exchange, alert));
}

ssize_t store_turn_alerts(struct store *s, int64_t epoch, uint64_t exchange, int64_t *rows,
			  size_t max)
{
	return rows_of(bind(s, Q_TURN_ALERTS, "iii", epoch, (int64_t)exchange, (int64_t)max), rows,
		       max);
}

int store_turn_end(struct store *s, int64_t epoch, uint64_t exchange)
{
	return run(bind(s, Q_TURN_END, "ii", epoch, (int64_t)exchange));
}

/* --- revisions */

int store_revise(struct store *s, struct span body, enum store_ship ship)
{
	uint8_t previous[CHAIN_HASH_LEN], body_hash[CHAIN_HASH_LEN];
	struct chain *c = &s->now.chain;
	int err;

	if (body.len > STORE_BODY_MAX)
		return -E2BIG;
	memcpy(previous, c->head, sizeof(previous));
	chain_hash(body, body_hash);
	chain_append(c, body_hash);
	err = run(bind(s, Q_REVISION_ADD, "ibbbb", (int64_t)c->sequence,
		       span_of(previous, sizeof(previous)), span_of(c->head, sizeof(c->head)),
		       span_of(body_hash, sizeof(body_hash)), body));
	if (err || ship == STORE_SHIP_NOT)
		return err;
	s->now.n_outbox++;
	return run(
	    bind(s, Q_OUTBOX_ADD, "ii", (int64_t)c->sequence, (int64_t)(ship == STORE_SHIP_STUB)));
}

static int copy_bytes(ProtobufCBinaryData *ret, struct span s)
{
	ret->data = malloc(s.len ? s.len : 1);
	if (!ret->data)
		return -ENOMEM;
	ret->len = s.len;
	if (s.len)
		memcpy(ret->data, s.p, s.len);
	return 0;
}

/* From a row of Q_REVISIONS or Q_OUTBOX_NEXT; a stub has body_hash in place of body. */
static Earshot__Revision *read_revision(const struct store *s, sqlite3_stmt *st, bool stub)
{
	Earshot__Revision *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	earshot__revision__init(r);
	r->sequence = (uint64_t)sqlite3_column_int64(st, 0);
	if (copy_bytes(&r->store, span_of(s->now.chain.store, CHAIN_STORE_LEN)) ||
	    copy_bytes(&r->previous_hash, column(st, 1)) || copy_bytes(&r->hash, column(st, 2)) ||
	    copy_bytes(stub ? &r->body_hash : &r->body, column(st, stub ? 3 : 4))) {
		earshot__revision__free_unpacked(r, NULL);
		return NULL;
	}
	return r;
}

ssize_t store_batch(struct store *s, Earshot__Batch *b, size_t max)
{
	/* Tag and length of a revision within the batch. */
	enum { FRAME = 5 };
	size_t size = earshot__batch__get_packed_size(b), n = 0;
	sqlite3_stmt *st = bind(s, Q_OUTBOX_NEXT, "");
	int more;

	while ((more = next(st)) > 0) {
		Earshot__Revision *r = read_revision(s, st, sqlite3_column_int64(st, 5)), **grown;

		more = -ENOMEM;
		if (!r)
			break;
		size += earshot__revision__get_packed_size(r) + FRAME;
		grown = size <= max ? realloc(b->revisions, (b->n_revisions + 1) * sizeof(*grown))
				    : NULL;
		if (!grown) {
			earshot__revision__free_unpacked(r, NULL);
			more = size <= max ? -ENOMEM : 0;
			break;
		}
		b->revisions = grown;
		b->revisions[b->n_revisions++] = r;
		n++;
	}
	done(st);
	return more < 0 ? more : (ssize_t)n;
}

int store_shipped(struct store *s, uint64_t through)
{
	int err = run(bind(s, Q_OUTBOX_SHIPPED, "i", (int64_t)through));

	if (!err)
		s->now.n_outbox -= (uint64_t)sqlite3_changes64(s->db);
	return err;
}

int store_rejected(struct store *s, uint64_t sequence, const char *reason)
{
	int err = run(bind(s, Q_OUTBOX_DROP, "i", (int64_t)sequence));

	if (err)
		return err;
	s->now.n_outbox -= (uint64_t)sqlite3_changes64(s->db);
	return run(bind(s, Q_REJECTED_ADD, "is", (int64_t)sequence, reason));
}

bool store_crowded(const struct store *s)
{
	return s->now.n_alerts > STORE_ALERTS_MAX + STORE_ALERTS_SLACK;
}

int store_prune(struct store *s)
{
	int64_t keep_from = (int64_t)s->now.chain.sequence - STORE_REVISIONS_MAX;
	int err = 0;

	if (store_crowded(s)) {
		err = run(
		    bind(s, Q_PRUNE_ALERTS, "i", (int64_t)(s->now.n_alerts - STORE_ALERTS_MAX)));
		if (!err)
			s->now.n_alerts -= (uint64_t)sqlite3_changes64(s->db);
		if (!err)
			err = run(bind(s, Q_PRUNE_KEYS, ""));
		if (!err)
			err = run(bind(s, Q_PRUNE_TURNS, ""));
	}
	if (!err)
		err = run(bind(s, Q_PRUNE_OLD_TURNS, "i", (int64_t)STORE_TURNS_MAX));
	if (!err && keep_from > 0)
		err = run(bind(s, Q_PRUNE_REVISIONS, "i", keep_from));
	if (!err)
		err = run(bind(s, Q_PRUNE_REJECTED, "i", (int64_t)STORE_REJECTED_MAX));
	return err;
}

int store_verify(struct store *s, uint64_t last_n)
{
	uint64_t head = s->now.chain.sequence, from = head > last_n ? head - last_n : 0;
	sqlite3_stmt *st = bind(s, Q_REVISIONS, "i", (int64_t)from);
	struct chain c = { 0 };
	int more, err = 0;

	while (!err && (more = next(st)) > 0) {
		Earshot__Revision *r = read_revision(s, st, false);

		if (!r) {
			err = -ENOMEM;
			break;
		}
		/* What is left of an older part of the chain (it waits in the outbox) stands alone.
		 */
		if (r->sequence != c.sequence + 1 || !c.sequence)
			err = chain_join(&c, r);
		if (!err)
			err = chain_verify(&c, r) ? -EBADMSG : 0;
		earshot__revision__free_unpacked(r, NULL);
	}
	done(st);
	if (!err && more < 0)
		err = more;
	if (!err && head && memcmp(&c, &s->now.chain, sizeof(c)))
		err = -EBADMSG;
	return err;
}
