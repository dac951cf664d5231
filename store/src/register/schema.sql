-- The number of the last change to what the gateway judges by: decisions and bindings share it.
CREATE TABLE state (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
);
INSERT INTO state VALUES (1, 0);

-- The gateway that runs, or ran last: the version that it judges by.
CREATE TABLE gateway (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    pid     INTEGER NOT NULL,
    version INTEGER NOT NULL
);

-- Everything that was ever decided. What holds is the last row of each subject and digest. A revocation of a digest that
-- nobody quarantined is about no subject; what was learned is about no incident.
CREATE TABLE decision (
    version  INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL, -- microseconds since 1970
    who      TEXT NOT NULL,
    what     TEXT NOT NULL CHECK (what IN ('approved', 'rejected', 'revoked', 'reinstated')),
    basis    TEXT NOT NULL CHECK (basis IN ('reviewed', 'cooldown', 'learned')),
    reason   TEXT NOT NULL,
    incident BLOB,
    subject  TEXT,
    digest   BLOB NOT NULL,
    kind     TEXT,
    url      TEXT,
    vendor   TEXT,
    len      INTEGER,
    expires  INTEGER, -- microseconds since 1970
    approvers INTEGER NOT NULL, -- how many people had to agree by then
    hash     BLOB -- over this row and the hash before
);
CREATE INDEX decision_by_subject ON decision (subject, digest, version);
CREATE INDEX decision_revoked ON decision (digest, version) WHERE what IN ('revoked', 'reinstated');
CREATE INDEX decision_learned ON decision (vendor) WHERE basis = 'learned';
-- A row is added, and then sealed once.
CREATE TRIGGER decision_stays BEFORE UPDATE ON decision WHEN old.hash IS NOT NULL
    BEGIN SELECT raise(ABORT, 'decisions are not changed'); END;
CREATE TRIGGER decision_is_kept BEFORE DELETE ON decision BEGIN SELECT raise(ABORT, 'decisions are not deleted'); END;

-- Digests that are revoked, and the row that says so.
CREATE VIEW revocation AS
SELECT * FROM decision r WHERE what IN ('revoked', 'reinstated') AND what = 'revoked' AND NOT EXISTS
    (SELECT 1 FROM decision l WHERE l.digest = r.digest AND l.version > r.version AND l.what IN ('revoked', 'reinstated'));

-- Up to which decision, and up to which item of the quarantine, the feed was told of them.
CREATE TABLE announced (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    item    INTEGER NOT NULL DEFAULT 0
);
INSERT INTO announced VALUES (1, 0, 0);

-- The URL at which a pattern's digest was verified first.
CREATE TABLE binding (
    pattern TEXT NOT NULL,
    digest  BLOB NOT NULL,
    url     TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (pattern, digest)
) WITHOUT ROWID;
CREATE INDEX binding_by_version ON binding (version);

-- Quarantine: one row for each body refused at a subject.
CREATE TABLE item (
    id         INTEGER PRIMARY KEY,
    incident   BLOB NOT NULL UNIQUE,
    subject    TEXT NOT NULL,
    digest     BLOB NOT NULL,
    url        TEXT NOT NULL,
    vendor     TEXT,
    len        INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    media_type TEXT,
    reason     TEXT NOT NULL,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    asked      INTEGER NOT NULL,
    clients    INTEGER NOT NULL,
    path       TEXT, -- JSON: address, TLS version, cipher, issuer, fingerprint, HTTP version
    UNIQUE (subject, digest)
);
CREATE INDEX item_by_digest ON item (digest);

CREATE TABLE asker (
    item       INTEGER NOT NULL REFERENCES item,
    address    TEXT NOT NULL,
    page       TEXT,
    user_agent TEXT,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    path       TEXT,
    user       TEXT
);
CREATE INDEX asker_by_item ON asker (item, address);

-- Bodies of items. One that is not kept yet is being written: its size is a reservation.
CREATE TABLE body (
    digest BLOB PRIMARY KEY,
    len    INTEGER NOT NULL,
    size   INTEGER NOT NULL, -- on disk
    kept   INTEGER NOT NULL
) WITHOUT ROWID;

-- The other digests of bodies that are, or were, in quarantine.
CREATE TABLE alias (
    digest BLOB PRIMARY KEY,
    sha384 BLOB NOT NULL UNIQUE,
    sha512 BLOB NOT NULL UNIQUE
) WITHOUT ROWID;

-- How far each output has come in the feed of each month.
CREATE TABLE cursor (
    output TEXT NOT NULL,
    month  TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    event  BLOB, -- the one at seq: a month that begins anew has others
    PRIMARY KEY (output, month)
) WITHOUT ROWID;

-- The shelf: verified bodies, by what was asked and by digest. A row is a memory and no permission.
CREATE TABLE shelf (
    url         TEXT NOT NULL,
    origin      TEXT NOT NULL, -- empty: none
    vary        TEXT NOT NULL, -- names, sorted, with commas
    vary_values BLOB NOT NULL, -- SHA-256 over the values
    digest      BLOB NOT NULL,
    sha384      BLOB NOT NULL,
    sha512      BLOB NOT NULL,
    len         INTEGER NOT NULL,
    head        TEXT NOT NULL, -- JSON: pairs of name and value
    kinds       TEXT NOT NULL,
    path        TEXT,
    seen        INTEGER NOT NULL, -- when the vendor served it last, microseconds since 1970
    asked       INTEGER NOT NULL,
    first       INTEGER NOT NULL DEFAULT 0, -- from when on it served nothing else that was verified
    PRIMARY KEY (url, origin, vary, vary_values, digest)
) WITHOUT ROWID;
CREATE INDEX shelf_by_digest ON shelf (digest);

-- Numbers that other files were given, at a start and at a reload: they share those of decisions.
CREATE TABLE files (version INTEGER PRIMARY KEY);

PRAGMA user_version = 5;
