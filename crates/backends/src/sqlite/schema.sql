-- Times are microseconds since 1970. A document without a body is a tombstone: it keeps the version until `forget`.
CREATE TABLE IF NOT EXISTS documents (
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    body    BLOB,
    expires INTEGER,
    forget  INTEGER,
    PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS documents_forget ON documents (forget) WHERE forget IS NOT NULL;

CREATE TABLE IF NOT EXISTS streams (
    stream TEXT PRIMARY KEY,
    last   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS events (
    stream TEXT NOT NULL,
    number INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (stream, number)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS feed (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    stream   TEXT NOT NULL,
    number   INTEGER NOT NULL
);

-- `epoch` holds the bits of an unsigned number.
CREATE TABLE IF NOT EXISTS outbox (
    id     TEXT PRIMARY KEY,
    lane   TEXT NOT NULL,
    tenant TEXT NOT NULL,
    due    INTEGER NOT NULL,
    claims INTEGER NOT NULL,
    epoch  INTEGER NOT NULL,
    body   BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (lane, due);
CREATE INDEX IF NOT EXISTS outbox_tenant ON outbox (lane, tenant, due, id);
CREATE INDEX IF NOT EXISTS outbox_epoch ON outbox (lane, epoch, due) WHERE epoch <> 0;

CREATE TABLE IF NOT EXISTS indexes (
    name   TEXT NOT NULL,
    member TEXT NOT NULL,
    score  INTEGER NOT NULL,
    PRIMARY KEY (name, member)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS indexes_score ON indexes (name, score, member);

CREATE TABLE IF NOT EXISTS requests (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_at ON requests (at);
