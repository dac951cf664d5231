
-- Service workers that went out, from format 4 on: what browsers may have, whatever is pinned and shelved by now.
CREATE TABLE worker (
    url    TEXT NOT NULL, -- the match key without its query
    digest BLOB NOT NULL,
    sha384 BLOB NOT NULL,
    sha512 BLOB NOT NULL,
    first  INTEGER NOT NULL, -- microseconds since 1970
    PRIMARY KEY (url, digest)
) WITHOUT ROWID;
