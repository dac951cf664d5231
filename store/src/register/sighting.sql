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
