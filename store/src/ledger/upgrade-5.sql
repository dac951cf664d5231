-- Format 5: who asked hosts of which nobody looks at what they send; and whether a tunnel opened, without its row.
CREATE TABLE visit (
    hour      INTEGER NOT NULL, -- number, since 1970
    client    INTEGER NOT NULL, -- word, as the next two; 0: not told apart
    user      INTEGER NOT NULL, -- 0: none
    authority INTEGER NOT NULL, -- 0: not told apart
    count     INTEGER NOT NULL, -- numbers
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    PRIMARY KEY (hour, client, user, authority)
) WITHOUT ROWID;
CREATE INDEX visit_by_authority ON visit (authority, hour);
CREATE INDEX visit_by_client ON visit (client);
CREATE INDEX visit_by_user ON visit (user) WHERE user > 0;

-- Since when visits are written down, where the file was there before: one row, or none.
CREATE TABLE visits_since (
    at INTEGER NOT NULL
);
INSERT INTO visits_since (at) VALUES (CAST(unixepoch('subsec') * 1000000 AS INTEGER));

DROP INDEX tunnel_by_authority;
CREATE INDEX tunnel_by_authority ON tunnel (authority, at, status);

PRAGMA user_version = 5;
