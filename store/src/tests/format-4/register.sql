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
    PRIMARY KEY (url, origin, vary, vary_values, digest)
) WITHOUT ROWID;
CREATE INDEX shelf_by_digest ON shelf (digest);

-- Numbers that other files were given, at a start and at a reload: they share those of decisions.
CREATE TABLE files (version INTEGER PRIMARY KEY);

PRAGMA user_version = 4;
-- What rechecks know and find, from format 3 on.
CREATE TABLE variant (
    id       INTEGER PRIMARY KEY,
    subject  TEXT NOT NULL,
    party    TEXT NOT NULL,    -- the vendor, or the host that no vendor claims
    key      BLOB NOT NULL,    -- SHA-256 of what the answer depends on
    plain    INTEGER NOT NULL, -- asked for without a query and without an Origin
    url      TEXT NOT NULL,    -- as it was asked for last
    headers  TEXT NOT NULL,    -- JSON: pairs of name and value, of whoever asked last
    http_version TEXT NOT NULL, -- of whoever asked last
    asked    INTEGER NOT NULL, -- by a client, last
    known    INTEGER,          -- the first sighting
    checked  INTEGER,          -- the last recheck
    failing  INTEGER,          -- since when rechecks find nothing
    failures INTEGER NOT NULL DEFAULT 0,
    failure  TEXT,             -- the reason of the last
    UNIQUE (subject, key)
);

CREATE INDEX variant_by_party ON variant (party);

-- Subjects of which there was no place for a variant, and when that was last.
CREATE TABLE crowded (
    subject TEXT PRIMARY KEY,
    at      INTEGER NOT NULL
) WITHOUT ROWID;

-- What the vendor served at a variant without a change. The last one is what it serves now.
CREATE TABLE run (
    id          INTEGER PRIMARY KEY,
    variant     INTEGER NOT NULL REFERENCES variant,
    digest      BLOB NOT NULL,
    is_drift    INTEGER NOT NULL, -- something else was expected, at the last sighting
    since       INTEGER NOT NULL,
    steady      INTEGER NOT NULL, -- since when without a gap that is too long
    last        INTEGER NOT NULL,
    sightings   INTEGER NOT NULL, -- without such a gap
    longest_gap INTEGER NOT NULL  -- between two of those
);
CREATE INDEX run_by_variant ON run (variant, id);

-- Each body that a recheck saw at a subject where something else was expected.
CREATE TABLE drift (
    id        BLOB PRIMARY KEY, -- UUIDv7; also the event's id
    subject   TEXT NOT NULL,
    digest    BLOB NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    sightings INTEGER NOT NULL,
    settled   INTEGER NOT NULL, -- it is expected by now
    told      INTEGER NOT NULL, -- the event is on disk
    UNIQUE (subject, digest)
) WITHOUT ROWID;

-- Subjects that serve something else each time: beyond a bound their drifts are only counted.
CREATE TABLE volatile (
    subject   TEXT PRIMARY KEY,
    id        BLOB NOT NULL,    -- UUIDv7; also the event's id
    since     INTEGER NOT NULL,
    sightings INTEGER NOT NULL, -- of bodies without a record
    told      INTEGER NOT NULL
) WITHOUT ROWID;
-- How the hosts of pins are reached, from format 4 on.

-- Fetches of a host, counted until it is known how it is reached.
CREATE TABLE fetched (
    host    TEXT PRIMARY KEY,
    fetches INTEGER NOT NULL
) WITHOUT ROWID;

-- Issuers of its certificate, and ranges of addresses.
CREATE TABLE mark (
    host   TEXT NOT NULL,
    aspect TEXT NOT NULL,    -- issuer, range
    value  TEXT NOT NULL,
    first  INTEGER NOT NULL, -- microseconds since 1970
    last   INTEGER NOT NULL, -- to the day
    known  INTEGER NOT NULL, -- seen while the host was learned, or told of where that is enough, or approved of
    id     BLOB,             -- UUIDv7, the event's id; none where there was nothing to tell
    told   INTEGER NOT NULL, -- the event is on disk
    PRIMARY KEY (host, aspect, value)
) WITHOUT ROWID;
CREATE INDEX mark_untold ON mark (id) WHERE NOT told;

-- Marks for which the body of an item was refused, and that nobody has approved of yet.
CREATE TABLE refused_mark (
    incident BLOB NOT NULL,
    host     TEXT NOT NULL,
    aspect   TEXT NOT NULL,
    value    TEXT NOT NULL,
    version  INTEGER NOT NULL, -- of the decisions by then: those of before were not about it
    PRIMARY KEY (incident, host, aspect, value)
) WITHOUT ROWID;
CREATE INDEX refused_mark_by_mark ON refused_mark (host, aspect, value);

-- Service workers that went out, from format 4 on: what browsers may have, whatever is pinned and shelved by now.
CREATE TABLE worker (
    url    TEXT NOT NULL, -- the match key without its query
    digest BLOB NOT NULL,
    sha384 BLOB NOT NULL,
    sha512 BLOB NOT NULL,
    first  INTEGER NOT NULL, -- microseconds since 1970
    PRIMARY KEY (url, digest)
) WITHOUT ROWID;

-- How many people must agree by the files of the gateway that runs, or ran last, from format 4 on: who decides may have others.
CREATE TABLE agreement (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    approvers INTEGER NOT NULL
);
INSERT INTO agreement VALUES (1, 1);
