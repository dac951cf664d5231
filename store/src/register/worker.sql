
-- Service workers that went out: what browsers may have, whatever is pinned and shelved by now. From format 5 on.
CREATE TABLE given_worker (
    path   TEXT NOT NULL, -- the match key without its query
    url    TEXT NOT NULL, -- the match key as it was written down; empty: with any query
    digest BLOB NOT NULL,
    sha384 BLOB NOT NULL,
    sha512 BLOB NOT NULL,
    first  INTEGER NOT NULL, -- microseconds since 1970
    PRIMARY KEY (path, url, digest)
) WITHOUT ROWID;
