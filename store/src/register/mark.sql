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
