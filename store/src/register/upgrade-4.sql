-- Format 4: the feed is told of new items, and places in it have names. Those that are there were seen before there was such an event.
ALTER TABLE announced ADD COLUMN item INTEGER NOT NULL DEFAULT 0;
UPDATE announced SET item = coalesce((SELECT max(id) FROM item), 0);

-- Which event each output has come to, besides its number.
ALTER TABLE cursor ADD COLUMN event BLOB;

-- Service workers that went out, as formats up to 4 knew them.
CREATE TABLE worker (
    url    TEXT NOT NULL, -- the match key without its query
    digest BLOB NOT NULL,
    sha384 BLOB NOT NULL,
    sha512 BLOB NOT NULL,
    first  INTEGER NOT NULL, -- microseconds since 1970
    PRIMARY KEY (url, digest)
) WITHOUT ROWID;

PRAGMA user_version = 4;
