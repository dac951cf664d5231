-- Format 3: decisions that no person made, that end, and that are about no item. The tables of rechecks are in sighting.sql.
ALTER TABLE decision RENAME TO decision_2;
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
INSERT INTO decision (version, at, who, what, basis, reason, incident, subject, digest, kind, approvers)
    SELECT version, at, who, what, 'reviewed', reason, incident, subject, digest, kind, 1 FROM decision_2 ORDER BY version;
DROP TABLE decision_2;
CREATE INDEX decision_by_subject ON decision (subject, digest, version);
CREATE INDEX decision_revoked ON decision (digest, version) WHERE what IN ('revoked', 'reinstated');
CREATE INDEX decision_learned ON decision (vendor) WHERE basis = 'learned';
-- A row is added, and then sealed once.
CREATE TRIGGER decision_stays BEFORE UPDATE ON decision WHEN old.hash IS NOT NULL
    BEGIN SELECT raise(ABORT, 'decisions are not changed'); END;
CREATE TRIGGER decision_is_kept BEFORE DELETE ON decision BEGIN SELECT raise(ABORT, 'decisions are not deleted'); END;

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
    PRIMARY KEY (url, origin, vary, vary_values, digest)
) WITHOUT ROWID;
CREATE INDEX shelf_by_digest ON shelf (digest);

-- Digests that are revoked, and the row that says so.
CREATE VIEW revocation AS
SELECT * FROM decision r WHERE what IN ('revoked', 'reinstated') AND what = 'revoked' AND NOT EXISTS
    (SELECT 1 FROM decision l WHERE l.digest = r.digest AND l.version > r.version AND l.what IN ('revoked', 'reinstated'));

CREATE INDEX binding_by_version ON binding (version);

-- The other digests of bodies that are, or were, in quarantine.
CREATE TABLE alias (
    digest BLOB PRIMARY KEY,
    sha384 BLOB NOT NULL UNIQUE,
    sha512 BLOB NOT NULL UNIQUE
) WITHOUT ROWID;

-- Up to which decision the feed was told of them.
CREATE TABLE announced (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
);
INSERT INTO announced SELECT one, version FROM state;

-- Numbers that other files were given, at a start and at a reload: they share those of decisions.
CREATE TABLE files (version INTEGER PRIMARY KEY);

PRAGMA user_version = 3;
